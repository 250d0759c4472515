-- What a signing key does follows from times alone, so that all processes agree without talking: of the keys whose
-- sign_time has come the last one signs, and the one before it is published until its last token is dead.
-- SQLite cannot drop the CHECK of the old state, so the table is made anew.

CREATE TABLE signing_keys_by_time (
    -- The RFC 7638 thumbprint of the public key. A row stays for ever, so that no key comes back.
    kid         TEXT   NOT NULL PRIMARY KEY,
    -- The private key (PKCS#8), sealed under a key of the mesh secret; NULL once it is published no more.
    sealed      BLOB,
    create_time BIGINT NOT NULL,
    -- From when it signs; NULL for the first, which signed from the beginning.
    sign_time   BIGINT
);

INSERT INTO signing_keys_by_time (kid, sealed, create_time, sign_time)
    SELECT kid, sealed, create_time,
           CASE WHEN EXISTS (SELECT 1 FROM signing_keys o WHERE (o.create_time, o.kid) < (k.create_time, k.kid))
                THEN create_time END
    FROM signing_keys k;

DROP TABLE signing_keys;
ALTER TABLE signing_keys_by_time RENAME TO signing_keys;

-- Two keys never begin to sign at once.
CREATE UNIQUE INDEX signing_keys_in_turn ON signing_keys (COALESCE(sign_time, 0));
