-- Version 2: reports about a day, and their letters on the way; what keeps the hosts of a fleet apart.
--
-- * Numbers of reports, deliveries and bodies are never given out again (identity columns): a bounce may come late. What is known by
--   its number alone is found by an index on it.
-- * A body is cut into chunks, so that a large one is written and removed in short transactions.
-- * What has ended is never looked at to find what has not: the index of open deliveries holds those only.

CREATE TABLE body (
    id            BIGINT  GENERATED ALWAYS AS IDENTITY,
    created_ms    BIGINT  NOT NULL,
    size          INTEGER NOT NULL,
    staged        INTEGER,                  -- 1 until a report has it
    policy_domain VARCHAR(255) COLLATE "C" NOT NULL,
    PRIMARY KEY (policy_domain, id)
);
CREATE INDEX body_by_id ON body (id);
CREATE INDEX body_staged ON body (created_ms) WHERE staged IS NOT NULL;

CREATE TABLE chunk (
    id            BIGINT NOT NULL,          -- body * 256 + place
    policy_domain VARCHAR(255) COLLATE "C" NOT NULL,
    octets        BYTEA  NOT NULL,
    PRIMARY KEY (policy_domain, id)
);
-- They are compressed already.
ALTER TABLE chunk ALTER COLUMN octets SET STORAGE EXTERNAL;
CREATE INDEX chunk_by_id ON chunk (id);

CREATE TABLE report (
    id            BIGINT  GENERATED ALWAYS AS IDENTITY,
    begin_s       BIGINT  NOT NULL,
    end_s         BIGINT  NOT NULL,
    date_ms       BIGINT  NOT NULL,
    row_count     BIGINT  NOT NULL,
    message_count BIGINT  NOT NULL,
    created_ms    BIGINT  NOT NULL,
    body          BIGINT,                   -- null when it had to go
    day           INTEGER NOT NULL,
    part          INTEGER NOT NULL,
    size          INTEGER NOT NULL,
    policy_domain VARCHAR(255) COLLATE "C" NOT NULL,
    report_id     VARCHAR(255) COLLATE "C" NOT NULL,
    kind          VARCHAR(255) COLLATE "C" NOT NULL,    -- aggregate, failure
    configuration VARCHAR(255) COLLATE "C" NOT NULL,
    file_name     TEXT COLLATE "C" NOT NULL,
    submitter     VARCHAR(255) COLLATE "C" NOT NULL,
    email         VARCHAR(255) COLLATE "C" NOT NULL,
    organization  TEXT COLLATE "C" NOT NULL,
    facts         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (policy_domain, id),
    UNIQUE (policy_domain, report_id)
);
CREATE INDEX report_by_id ON report (id);
CREATE INDEX report_by_report_id ON report (report_id);
CREATE INDEX report_by_domain ON report (policy_domain, day, configuration);
CREATE INDEX report_by_day ON report (day);
-- Limits of failure reports go by when they were made.
CREATE INDEX report_by_kind ON report (kind, created_ms);

CREATE TABLE delivery (
    id             BIGINT  GENERATED ALWAYS AS IDENTITY,
    report         BIGINT  NOT NULL,
    due_ms         BIGINT  NOT NULL,
    next_ms        BIGINT  NOT NULL,
    first_ms       BIGINT,
    ended_ms       BIGINT,
    lease_until_ms BIGINT,
    attempts       INTEGER NOT NULL,
    policy_domain  VARCHAR(255) COLLATE "C" NOT NULL,
    destination    VARCHAR(384) COLLATE "C" NOT NULL,
    host           VARCHAR(384) COLLATE "C" NOT NULL,   -- of the destination, in lower case
    message_id     TEXT COLLATE "C" NOT NULL,
    state          VARCHAR(255) COLLATE "C" NOT NULL,   -- queued, deferred, delivered, given_up
    lease_owner    VARCHAR(255) COLLATE "C",
    reason         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (policy_domain, id),
    UNIQUE (policy_domain, report, destination)
);
CREATE INDEX delivery_by_id ON delivery (id);
CREATE INDEX delivery_by_report ON delivery (report);
CREATE INDEX delivery_open ON delivery (next_ms, id) WHERE ended_ms IS NULL;
CREATE INDEX delivery_leased ON delivery (lease_owner) WHERE lease_owner IS NOT NULL;

-- Never removed: reports of a day may expire before its tally does, and must not be made again.
CREATE TABLE reported_day (
    day      INTEGER NOT NULL PRIMARY KEY,
    began_ms BIGINT  NOT NULL,
    done_ms  BIGINT,
    domains  BIGINT  NOT NULL DEFAULT 0,
    reports  BIGINT  NOT NULL DEFAULT 0,
    messages BIGINT  NOT NULL DEFAULT 0,
    skipped  BIGINT  NOT NULL DEFAULT 0
);

CREATE TABLE skipped (
    day           INTEGER NOT NULL,
    policy_domain VARCHAR(255) COLLATE "C" NOT NULL,
    reason        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (policy_domain, day)
);
CREATE INDEX skipped_by_day ON skipped (day);

CREATE TABLE suppression (
    destination VARCHAR(384) COLLATE "C" NOT NULL PRIMARY KEY,  -- an address, or @host; the host in lower case
    reason      TEXT COLLATE "C" NOT NULL,
    origin      VARCHAR(255) COLLATE "C" NOT NULL,              -- manual, bounce
    since_ms    BIGINT NOT NULL,
    until_ms    BIGINT,                     -- null: for ever; 0: bounces, and not suppressed yet
    strikes     BIGINT NOT NULL,
    last_ms     BIGINT NOT NULL             -- of the last bounce
);
CREATE INDEX suppression_by_origin ON suppression (origin, last_ms);

CREATE TABLE secret (
    name   VARCHAR(255) COLLATE "C" NOT NULL PRIMARY KEY,
    octets BYTEA NOT NULL
);

-- A key is the first half of a SHA-256; with it stands how many of its messages are in the tally.
CREATE TABLE imported (
    count         BIGINT  NOT NULL,
    day           INTEGER NOT NULL,
    policy_domain VARCHAR(255) COLLATE "C" NOT NULL,
    key           BYTEA   NOT NULL,
    PRIMARY KEY (policy_domain, key)
);
CREATE INDEX imported_by_key ON imported (key);
CREATE INDEX imported_by_day ON imported (day);

CREATE TABLE redirection (
    policy_domain VARCHAR(255) COLLATE "C" NOT NULL PRIMARY KEY,
    rua           TEXT COLLATE "C" NOT NULL,    -- JSON: [URI, ...]
    since_ms      BIGINT NOT NULL
);

-- Work that one host does for all of a fleet, until a time by the clock of this server (decision D17).
CREATE TABLE lease (
    name     VARCHAR(255) COLLATE "C" NOT NULL PRIMARY KEY,
    owner    VARCHAR(255) COLLATE "C" NOT NULL,
    until_ms BIGINT NOT NULL
);

-- Whoever writes to the outbox holds the one row of this table: looking first and writing then is as good as one statement.
CREATE TABLE outbox_lock (
    id INTEGER NOT NULL PRIMARY KEY
);
INSERT INTO outbox_lock (id) VALUES (1);

-- The last such transaction of each process: what was done is known also where the answer to COMMIT was lost.
CREATE TABLE writer (
    id     BYTEA  NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    at_ms  BIGINT NOT NULL
);
