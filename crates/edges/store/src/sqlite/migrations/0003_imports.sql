-- Version 3: what was imported from other programs, and where reports go against what a record says.
--
-- * A key is the first half of a SHA-256; with it stands how many of its messages are in the tally.

CREATE TABLE imported (
    key   BLOB    NOT NULL PRIMARY KEY,
    day   INTEGER NOT NULL,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX imported_by_day ON imported (day);

CREATE TABLE redirection (
    policy_domain TEXT    NOT NULL PRIMARY KEY,
    rua           TEXT    NOT NULL,   -- JSON: [URI, ...]
    since_ms      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
