-- Version 2: reports about a day, and their letters on the way.
--
-- * What has ended is never looked at to find what has not: the index of open deliveries holds those only.
-- * Numbers of reports and deliveries are never given out again (AUTOINCREMENT): a bounce may come late.
-- * A body is cut into chunks, so that a large one is written and removed in short transactions.

ALTER TABLE published ADD COLUMN problems TEXT NOT NULL DEFAULT '[]';   -- JSON: [text, ...]
ALTER TABLE published ADD COLUMN psd INTEGER NOT NULL DEFAULT 0;

-- Steps in which what has expired was removed: whoever remembers numbers of what is stored forgets them
-- when this has changed, and not when others have merely added something.
CREATE TABLE expiry (steps INTEGER NOT NULL) STRICT;
INSERT INTO expiry (steps) VALUES (0);

CREATE TABLE body (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    created_ms INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    staged     INTEGER              -- 1 until a report has it
) STRICT;
CREATE INDEX body_staged ON body (created_ms) WHERE staged IS NOT NULL;

CREATE TABLE chunk (
    id     INTEGER PRIMARY KEY,     -- body * 256 + place
    octets BLOB    NOT NULL
) STRICT;

CREATE TABLE report (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    report_id     TEXT    NOT NULL UNIQUE,
    kind          TEXT    NOT NULL, -- aggregate, failure
    policy_domain TEXT    NOT NULL,
    day           INTEGER NOT NULL,
    begin_s       INTEGER NOT NULL,
    end_s         INTEGER NOT NULL,
    configuration TEXT    NOT NULL,
    part          INTEGER NOT NULL,
    file_name     TEXT    NOT NULL,
    submitter     TEXT    NOT NULL,
    email         TEXT    NOT NULL,
    organization  TEXT    NOT NULL,
    facts         TEXT    NOT NULL,
    date_ms       INTEGER NOT NULL,
    row_count     INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    size          INTEGER NOT NULL,
    created_ms    INTEGER NOT NULL,
    body          INTEGER           -- null when it had to go
) STRICT;
CREATE INDEX report_by_domain ON report (policy_domain, day, configuration);
CREATE INDEX report_by_day ON report (day);

CREATE TABLE delivery (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    report         INTEGER NOT NULL,
    destination    TEXT    NOT NULL,
    host           TEXT    NOT NULL, -- of the destination, in lower case
    message_id     TEXT    NOT NULL,
    state          TEXT    NOT NULL, -- queued, deferred, delivered, given_up
    attempts       INTEGER NOT NULL,
    due_ms         INTEGER NOT NULL,
    next_ms        INTEGER NOT NULL,
    first_ms       INTEGER,
    ended_ms       INTEGER,
    lease_owner    TEXT,
    lease_until_ms INTEGER,
    reason         TEXT    NOT NULL,
    UNIQUE (report, destination)
) STRICT;
CREATE INDEX delivery_open ON delivery (next_ms, state, lease_until_ms) WHERE ended_ms IS NULL;
CREATE INDEX delivery_leased ON delivery (lease_owner) WHERE lease_owner IS NOT NULL;

-- Never removed: reports of a day may expire before its tally does, and must not be made again.
CREATE TABLE reported_day (
    day      INTEGER PRIMARY KEY,
    began_ms INTEGER NOT NULL,
    done_ms  INTEGER,
    domains  INTEGER NOT NULL DEFAULT 0,
    reports  INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0,
    skipped  INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE skipped (
    day           INTEGER NOT NULL,
    policy_domain TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    PRIMARY KEY (day, policy_domain)
) STRICT, WITHOUT ROWID;

CREATE TABLE suppression (
    destination TEXT    NOT NULL PRIMARY KEY,  -- an address, or @host; the host in lower case
    reason      TEXT    NOT NULL,
    origin      TEXT    NOT NULL,   -- manual, bounce
    since_ms    INTEGER NOT NULL,
    until_ms    INTEGER,            -- null: for ever; 0: bounces, and not suppressed yet
    strikes     INTEGER NOT NULL,
    last_ms     INTEGER NOT NULL    -- of the last bounce
) STRICT, WITHOUT ROWID;

CREATE TABLE secret (
    name   TEXT NOT NULL PRIMARY KEY,
    octets BLOB NOT NULL
) STRICT, WITHOUT ROWID;
