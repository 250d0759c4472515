-- The book of credits. Amounts are millionths of one currency, times are microseconds since the Unix epoch. All tables are
-- STRICT: a sum that no longer is an integer is an error, and not a rounded number.

-- Credits that were given at one time. `available` is moved by the book alone (the triggers below).
CREATE TABLE grants (
    id          TEXT    NOT NULL PRIMARY KEY,
    holder      TEXT    NOT NULL,
    -- What makes it the same when it is given again.
    key         TEXT    NOT NULL,
    origin      TEXT    NOT NULL CHECK (origin IN ('admin', 'plan', 'sign_up', 'refund')),
    amount      INTEGER NOT NULL CHECK (amount > 0),
    available   INTEGER NOT NULL DEFAULT 0 CHECK (available BETWEEN 0 AND amount),
    priority    INTEGER NOT NULL,
    expire_time INTEGER,
    note        TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    -- The generation whose charge it gives back.
    generation  TEXT,
    create_time INTEGER NOT NULL,
    UNIQUE (holder, key)
) STRICT;
-- What something is left of: of a holder, and by the time when it is lost.
CREATE INDEX grants_live ON grants (holder) WHERE available > 0;
CREATE INDEX grants_expiring ON grants (expire_time) WHERE available > 0 AND expire_time IS NOT NULL;

-- What was set aside for generations, and what became of it. One without a holder says only that the end of a generation
-- was told before anything was set aside for it.
CREATE TABLE reservations (
    generation  TEXT    NOT NULL PRIMARY KEY,
    holder      TEXT    NOT NULL,
    service     TEXT    NOT NULL,
    medium      TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    payer       TEXT    NOT NULL CHECK (payer IN ('holder', 'house')),
    -- Only for as long as it is open.
    network     BLOB,
    -- The tariff, as JSON.
    prices      TEXT    NOT NULL,
    amount      INTEGER NOT NULL CHECK (amount >= 0),
    charged     INTEGER NOT NULL DEFAULT 0 CHECK (charged BETWEEN 0 AND amount),
    shortfall   INTEGER NOT NULL DEFAULT 0 CHECK (shortfall >= 0),
    refunded    INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND charged),
    -- What was left of the day's quota after it; NULL for one that is not counted in any.
    remaining   INTEGER,
    -- Whether it is counted in that quota: not when it has delivered nothing.
    counted     INTEGER NOT NULL CHECK (counted IN (0, 1)),
    state       TEXT    NOT NULL CHECK (state IN ('open', 'settled', 'released')),
    lease_time  INTEGER NOT NULL,
    create_time INTEGER NOT NULL,
    end_time    INTEGER,
    CHECK ((state = 'open') = (end_time IS NULL))
) STRICT;
CREATE INDEX reservations_open_of_holder ON reservations (holder) WHERE state = 'open';
CREATE INDEX reservations_open_of_network ON reservations (network) WHERE state = 'open' AND network IS NOT NULL;
CREATE INDEX reservations_open_by_lease ON reservations (lease_time) WHERE state = 'open';
CREATE INDEX reservations_of_nothing ON reservations (end_time) WHERE holder = '';

-- THE BOOK: each row takes an amount out of one account and puts it into another, so that all accounts together are always 0.
-- Accounts are `available:HOLDER` and `held:HOLDER`, and the house's: `issued`, `revenue`, `expired`, `shortfall`, `anonymous`
-- and `held`, which is held for those who have no credits.
CREATE TABLE transfers (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Of one holder, never before that of the row before it, whosever clock it was.
    time       INTEGER NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('granted', 'reserved', 'charged', 'returned', 'expired', 'shortfall')),
    source     TEXT    NOT NULL,
    target     TEXT    NOT NULL CHECK (target <> source),
    amount     INTEGER NOT NULL CHECK (amount > 0),
    -- Whose credits were moved, of which grant, and what he may spend after it; NULL for the house's own.
    holder     TEXT,
    balance    INTEGER CHECK (balance >= 0),
    grant_id   TEXT    REFERENCES grants (id),
    generation TEXT,
    CHECK ((holder IS NULL) = (balance IS NULL) AND (holder IS NULL) = (grant_id IS NULL))
) STRICT;
CREATE INDEX transfers_of_holder ON transfers (holder, time) WHERE holder IS NOT NULL;
CREATE INDEX transfers_reserved ON transfers (generation) WHERE kind = 'reserved' AND grant_id IS NOT NULL;

-- What stands in each account. Only the accounts that credits come from are below zero.
CREATE TABLE balances (
    account TEXT    NOT NULL PRIMARY KEY,
    amount  INTEGER NOT NULL CHECK (amount >= 0 OR account IN ('issued', 'shortfall', 'anonymous'))
) STRICT, WITHOUT ROWID;

-- A row of the book and what it moves are one statement: nobody can write the one without the other.
CREATE TRIGGER transfers_move AFTER INSERT ON transfers BEGIN
    INSERT INTO balances (account, amount) VALUES (NEW.source, 0), (NEW.target, 0) ON CONFLICT DO NOTHING;
    UPDATE balances SET amount = amount - NEW.amount WHERE account = NEW.source;
    UPDATE balances SET amount = amount + NEW.amount WHERE account = NEW.target;
    UPDATE grants SET available = available - NEW.amount
        WHERE id = NEW.grant_id AND NEW.source = 'available:' || NEW.holder;
    UPDATE grants SET available = available + NEW.amount
        WHERE id = NEW.grant_id AND NEW.target = 'available:' || NEW.holder;
END;

-- The book is added to, and never changed.
CREATE TRIGGER transfers_stay BEFORE UPDATE ON transfers BEGIN
    SELECT RAISE(ABORT, 'the book is never changed');
END;
CREATE TRIGGER transfers_last BEFORE DELETE ON transfers BEGIN
    SELECT RAISE(ABORT, 'the book is never shortened');
END;
-- A REPLACE would delete without asking the trigger above.
CREATE TRIGGER transfers_new BEFORE INSERT ON transfers
WHEN EXISTS (SELECT 1 FROM transfers WHERE number = NEW.number) BEGIN
    SELECT RAISE(ABORT, 'the book is never changed');
END;

-- How many generations of a medium a holder has begun in a day: the number of days since the epoch, UTC.
CREATE TABLE quota_uses (
    holder TEXT    NOT NULL,
    medium TEXT    NOT NULL,
    day    INTEGER NOT NULL,
    used   INTEGER NOT NULL CHECK (used >= 0),
    PRIMARY KEY (holder, medium, day)
) STRICT, WITHOUT ROWID;

-- What was spent in an hour (the number of hours since the epoch), reservations included: of all, and of that by the house.
CREATE TABLE spending (
    scope  TEXT    NOT NULL CHECK (scope IN ('all', 'house')),
    hour   INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (scope, hour)
) STRICT, WITHOUT ROWID;

-- A reservation, what it is counted in and what was spent are one statement too. Days and hours are those of its beginning.
CREATE TRIGGER reservations_begin AFTER INSERT ON reservations WHEN NEW.state = 'open' BEGIN
    INSERT INTO quota_uses (holder, medium, day, used)
        SELECT NEW.holder, NEW.medium, NEW.create_time / 86400000000, 1 WHERE NEW.counted
        ON CONFLICT DO UPDATE SET used = used + 1;
    INSERT INTO spending (scope, hour, amount)
        SELECT 'all', NEW.create_time / 3600000000, NEW.amount WHERE NEW.amount > 0
        ON CONFLICT DO UPDATE SET amount = amount + excluded.amount;
    INSERT INTO spending (scope, hour, amount)
        SELECT 'house', NEW.create_time / 3600000000, NEW.amount WHERE NEW.amount > 0 AND NEW.payer = 'house'
        ON CONFLICT DO UPDATE SET amount = amount + excluded.amount;
END;
CREATE TRIGGER reservations_end AFTER UPDATE OF state ON reservations WHEN OLD.state = 'open' AND NEW.state <> 'open' BEGIN
    UPDATE quota_uses SET used = used - 1
        WHERE OLD.counted AND NOT NEW.counted
        AND holder = NEW.holder AND medium = NEW.medium AND day = NEW.create_time / 86400000000;
    UPDATE spending SET amount = amount - (NEW.amount - NEW.charged)
        WHERE NEW.amount > NEW.charged AND hour = NEW.create_time / 3600000000
        AND scope IN ('all', CASE NEW.payer WHEN 'house' THEN 'house' ELSE 'all' END);
END;

-- Holders who have left: whatever comes back to one of them, or is given to him, is taken at once.
CREATE TABLE departures (
    holder TEXT    NOT NULL PRIMARY KEY,
    time   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
