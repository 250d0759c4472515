-- The book of credits. Amounts are millionths of one currency, times are microseconds since the Unix epoch. What rows are ordered
-- and compared by is collated by its bytes, as everywhere else. The functions are bound to the schema that they are made in: a row
-- that somebody writes by hand, with another search_path, moves the same balances.

-- Credits that were given at one time. `available` is moved by the book alone (the triggers below).
CREATE TABLE grants (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder      TEXT COLLATE "C" NOT NULL,
    -- What makes it the same when it is given again.
    key         TEXT COLLATE "C" NOT NULL,
    origin      TEXT   NOT NULL CHECK (origin IN ('admin', 'plan', 'sign_up', 'refund')),
    amount      BIGINT NOT NULL CHECK (amount > 0),
    available   BIGINT NOT NULL DEFAULT 0 CHECK (available BETWEEN 0 AND amount),
    priority    BIGINT NOT NULL,
    expire_time BIGINT,
    note        TEXT   NOT NULL,
    actor       TEXT   NOT NULL,
    -- The generation whose charge it gives back.
    generation  TEXT COLLATE "C",
    create_time BIGINT NOT NULL,
    UNIQUE (holder, key)
);
-- What something is left of: of a holder, and by the time when it is lost.
CREATE INDEX grants_live ON grants (holder) WHERE available > 0;
CREATE INDEX grants_expiring ON grants (expire_time) WHERE available > 0 AND expire_time IS NOT NULL;

-- What was set aside for generations, and what became of it. One without a holder says only that the end of a generation
-- was told before anything was set aside for it.
CREATE TABLE reservations (
    generation  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder      TEXT COLLATE "C" NOT NULL,
    service     TEXT    NOT NULL,
    medium      TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    payer       TEXT    NOT NULL CHECK (payer IN ('holder', 'house')),
    -- Only for as long as it is open.
    network     BYTEA,
    -- The tariff, as JSON.
    prices      TEXT    NOT NULL,
    amount      BIGINT  NOT NULL CHECK (amount >= 0),
    charged     BIGINT  NOT NULL DEFAULT 0 CHECK (charged BETWEEN 0 AND amount),
    shortfall   BIGINT  NOT NULL DEFAULT 0 CHECK (shortfall >= 0),
    refunded    BIGINT  NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND charged),
    -- What was left of the day's quota after it; NULL for one that is not counted in any.
    remaining   BIGINT,
    -- Whether it is counted in that quota: not when it has delivered nothing.
    counted     BOOLEAN NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'settled', 'released')),
    lease_time  BIGINT  NOT NULL,
    create_time BIGINT  NOT NULL,
    end_time    BIGINT,
    CHECK ((state = 'open') = (end_time IS NULL))
);
CREATE INDEX reservations_open_of_holder ON reservations (holder) WHERE state = 'open';
CREATE INDEX reservations_open_of_network ON reservations (network) WHERE state = 'open' AND network IS NOT NULL;
CREATE INDEX reservations_open_by_lease ON reservations (lease_time, generation) WHERE state = 'open';
CREATE INDEX reservations_of_nothing ON reservations (end_time) WHERE holder = '';

-- THE BOOK: each row takes an amount out of one account and puts it into another, so that all accounts together are always 0.
-- Accounts are `available:HOLDER` and `held:HOLDER`, and the house's: `issued`, `revenue`, `expired`, `shortfall`, `anonymous`
-- and `held`, which is held for those who have no credits.
CREATE TABLE transfers (
    -- Whoever writes has the book for himself, so that rows come to be seen in the order of their numbers.
    number     BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Of one holder, never before that of the row before it, whosever clock it was.
    time       BIGINT NOT NULL,
    kind       TEXT   NOT NULL CHECK (kind IN ('granted', 'reserved', 'charged', 'returned', 'expired', 'shortfall')),
    source     TEXT COLLATE "C" NOT NULL,
    target     TEXT COLLATE "C" NOT NULL CHECK (target <> source),
    amount     BIGINT NOT NULL CHECK (amount > 0),
    -- Whose credits were moved, of which grant, and what he may spend after it; NULL for the house's own.
    holder     TEXT COLLATE "C",
    balance    BIGINT CHECK (balance >= 0),
    grant_id   TEXT COLLATE "C" REFERENCES grants (id),
    generation TEXT COLLATE "C",
    CHECK ((holder IS NULL) = (balance IS NULL) AND (holder IS NULL) = (grant_id IS NULL))
);
CREATE INDEX transfers_of_holder ON transfers (holder, time, number) WHERE holder IS NOT NULL;
CREATE INDEX transfers_reserved ON transfers (generation) WHERE kind = 'reserved' AND grant_id IS NOT NULL;

-- What stands in each account. Only the accounts that credits come from are below zero. Few rows, written over and over: room is
-- left in each page for their next versions.
CREATE TABLE balances (
    account TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    amount  BIGINT NOT NULL CHECK (amount >= 0 OR account IN ('issued', 'shortfall', 'anonymous'))
) WITH (fillfactor = 70);

-- A row of the book and what it moves are one statement: nobody can write the one without the other.
CREATE FUNCTION transfers_move() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO balances (account, amount) VALUES (NEW.source, 0), (NEW.target, 0) ON CONFLICT DO NOTHING;
    UPDATE balances SET amount = amount - NEW.amount WHERE account = NEW.source;
    UPDATE balances SET amount = amount + NEW.amount WHERE account = NEW.target;
    UPDATE grants SET available = available - NEW.amount
        WHERE id = NEW.grant_id AND NEW.source = 'available:' || NEW.holder;
    UPDATE grants SET available = available + NEW.amount
        WHERE id = NEW.grant_id AND NEW.target = 'available:' || NEW.holder;
    RETURN NULL;
END $$;
CREATE TRIGGER transfers_move AFTER INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION transfers_move();

-- The book is added to, and never changed. An `ON CONFLICT DO UPDATE` is an update too.
CREATE FUNCTION transfers_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the book is never %', TG_ARGV[0];
END $$;
CREATE TRIGGER transfers_stay BEFORE UPDATE ON transfers
    FOR EACH ROW EXECUTE FUNCTION transfers_refuse('changed');
CREATE TRIGGER transfers_last BEFORE DELETE ON transfers
    FOR EACH ROW EXECUTE FUNCTION transfers_refuse('shortened');
CREATE TRIGGER transfers_whole BEFORE TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION transfers_refuse('shortened');

-- How many generations of a medium a holder has begun in a day: the number of days since the epoch, UTC.
CREATE TABLE quota_uses (
    holder TEXT COLLATE "C" NOT NULL,
    medium TEXT COLLATE "C" NOT NULL,
    day    BIGINT NOT NULL,
    used   BIGINT NOT NULL CHECK (used >= 0),
    PRIMARY KEY (holder, medium, day)
) WITH (fillfactor = 70);

-- What was spent in an hour (the number of hours since the epoch), reservations included: of all, and of that by the house.
CREATE TABLE spending (
    scope  TEXT COLLATE "C" NOT NULL CHECK (scope IN ('all', 'house')),
    hour   BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (scope, hour)
) WITH (fillfactor = 70);

-- A reservation, what it is counted in and what was spent are one statement too. Days and hours are those of its beginning.
CREATE FUNCTION reservations_begin() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.counted THEN
        INSERT INTO quota_uses (holder, medium, day, used)
            VALUES (NEW.holder, NEW.medium, NEW.create_time / 86400000000, 1)
            ON CONFLICT (holder, medium, day) DO UPDATE SET used = quota_uses.used + 1;
    END IF;
    IF NEW.amount > 0 THEN
        INSERT INTO spending (scope, hour, amount)
            SELECT scope, NEW.create_time / 3600000000, NEW.amount FROM (VALUES ('all'), ('house')) s (scope)
            WHERE scope = 'all' OR NEW.payer = 'house'
            ON CONFLICT (scope, hour) DO UPDATE SET amount = spending.amount + excluded.amount;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER reservations_begin AFTER INSERT ON reservations
    FOR EACH ROW WHEN (NEW.state = 'open') EXECUTE FUNCTION reservations_begin();

CREATE FUNCTION reservations_end() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.counted AND NOT NEW.counted THEN
        UPDATE quota_uses SET used = used - 1
            WHERE holder = NEW.holder AND medium = NEW.medium AND day = NEW.create_time / 86400000000;
    END IF;
    IF NEW.amount > NEW.charged THEN
        UPDATE spending SET amount = amount - (NEW.amount - NEW.charged)
            WHERE hour = NEW.create_time / 3600000000
            AND scope IN ('all', CASE NEW.payer WHEN 'house' THEN 'house' ELSE 'all' END);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER reservations_end AFTER UPDATE OF state ON reservations
    FOR EACH ROW WHEN (OLD.state = 'open' AND NEW.state <> 'open') EXECUTE FUNCTION reservations_end();

-- Holders who have left: whatever comes back to one of them, or is given to him, is taken at once.
CREATE TABLE departures (
    holder TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    time   BIGINT NOT NULL
);
