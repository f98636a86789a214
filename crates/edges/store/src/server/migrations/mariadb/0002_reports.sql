-- Version 2: reports about a day, and their letters on the way; what keeps the hosts of a fleet apart.
--
-- * Numbers of reports, deliveries and bodies are never given out again (AUTO_INCREMENT): a bounce may come late. What is known by
--   its number alone is found by an index on it.
-- * A body is cut into chunks, so that a large one is written and removed in short transactions.
-- * What has ended is never looked at to find what has not: it lies elsewhere in the index of deliveries.

CREATE TABLE IF NOT EXISTS body (
    id            BIGINT  NOT NULL AUTO_INCREMENT,
    created_ms    BIGINT  NOT NULL,
    size          INTEGER NOT NULL,
    staged        INTEGER,                  -- 1 until a report has it
    policy_domain VARCHAR(255) NOT NULL,
    PRIMARY KEY (policy_domain, id),
    KEY body_by_id (id),
    KEY body_staged (staged, created_ms)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS chunk (
    id            BIGINT NOT NULL,          -- body * 256 + place
    policy_domain VARCHAR(255) NOT NULL,
    octets        LONGBLOB  NOT NULL,
    PRIMARY KEY (policy_domain, id),
    KEY chunk_by_id (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS report (
    id            BIGINT  NOT NULL AUTO_INCREMENT,
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
    policy_domain VARCHAR(255) NOT NULL,
    report_id     VARCHAR(255) NOT NULL,
    kind          VARCHAR(255) NOT NULL,    -- aggregate, failure
    configuration VARCHAR(255) NOT NULL,
    file_name     MEDIUMTEXT NOT NULL,
    submitter     VARCHAR(255) NOT NULL,
    email         VARCHAR(255) NOT NULL,
    organization  MEDIUMTEXT NOT NULL,
    facts         MEDIUMTEXT NOT NULL,
    PRIMARY KEY (policy_domain, id),
    UNIQUE (policy_domain, report_id),
    KEY report_by_id (id),
    KEY report_by_report_id (report_id),
    KEY report_by_domain (policy_domain, day, configuration),
    KEY report_by_day (day),
    -- Limits of failure reports go by when they were made.
    KEY report_by_kind (kind, created_ms)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS delivery (
    id             BIGINT  NOT NULL AUTO_INCREMENT,
    report         BIGINT  NOT NULL,
    due_ms         BIGINT  NOT NULL,
    next_ms        BIGINT  NOT NULL,
    first_ms       BIGINT,
    ended_ms       BIGINT,
    lease_until_ms BIGINT,
    attempts       INTEGER NOT NULL,
    policy_domain  VARCHAR(255) NOT NULL,
    destination    VARCHAR(384) NOT NULL,
    host           VARCHAR(384) NOT NULL,   -- of the destination, in lower case
    message_id     MEDIUMTEXT NOT NULL,
    state          VARCHAR(255) NOT NULL,   -- queued, deferred, delivered, given_up
    lease_owner    VARCHAR(255),
    reason         MEDIUMTEXT NOT NULL,
    PRIMARY KEY (policy_domain, id),
    UNIQUE (policy_domain, report, destination),
    KEY delivery_by_id (id),
    KEY delivery_by_report (report),
    KEY delivery_open (ended_ms, next_ms, id),
    KEY delivery_leased (lease_owner)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

-- Never removed: reports of a day may expire before its tally does, and must not be made again.
CREATE TABLE IF NOT EXISTS reported_day (
    day      INTEGER NOT NULL PRIMARY KEY,
    began_ms BIGINT  NOT NULL,
    done_ms  BIGINT,
    domains  BIGINT  NOT NULL DEFAULT 0,
    reports  BIGINT  NOT NULL DEFAULT 0,
    messages BIGINT  NOT NULL DEFAULT 0,
    skipped  BIGINT  NOT NULL DEFAULT 0
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS skipped (
    day           INTEGER NOT NULL,
    policy_domain VARCHAR(255) NOT NULL,
    reason        MEDIUMTEXT NOT NULL,
    PRIMARY KEY (policy_domain, day),
    KEY skipped_by_day (day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS suppression (
    destination VARCHAR(384) NOT NULL PRIMARY KEY,  -- an address, or @host; the host in lower case
    reason      MEDIUMTEXT NOT NULL,
    origin      VARCHAR(255) NOT NULL,              -- manual, bounce
    since_ms    BIGINT NOT NULL,
    until_ms    BIGINT,                     -- null: for ever; 0: bounces, and not suppressed yet
    strikes     BIGINT NOT NULL,
    last_ms     BIGINT NOT NULL,  -- of the last bounce
    KEY suppression_by_origin (origin, last_ms)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS secret (
    name   VARCHAR(255) NOT NULL PRIMARY KEY,
    octets LONGBLOB NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

-- A key is the first half of a SHA-256; with it stands how many of its messages are in the tally.
CREATE TABLE IF NOT EXISTS imported (
    count         BIGINT  NOT NULL,
    day           INTEGER NOT NULL,
    policy_domain VARCHAR(255) NOT NULL,
    "key"         BINARY(16) NOT NULL,
    PRIMARY KEY (policy_domain, "key"),
    KEY imported_by_key ("key"),
    KEY imported_by_day (day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS redirection (
    policy_domain VARCHAR(255) NOT NULL PRIMARY KEY,
    rua           MEDIUMTEXT NOT NULL,    -- JSON: [URI, ...]
    since_ms      BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

-- Work that one host does for all of a fleet, until a time by the clock of this server (decision D17).
CREATE TABLE IF NOT EXISTS lease (
    name     VARCHAR(255) NOT NULL PRIMARY KEY,
    owner    VARCHAR(255) NOT NULL,
    until_ms BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

-- Whoever writes to the outbox holds the one row of this table: looking first and writing then is as good as one statement.
CREATE TABLE IF NOT EXISTS outbox_lock (
    id INTEGER NOT NULL PRIMARY KEY
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;
INSERT IGNORE INTO outbox_lock (id) VALUES (1);

-- The last such transaction of each process: what was done is known also where the answer to COMMIT was lost.
CREATE TABLE IF NOT EXISTS writer (
    id     BINARY(16) NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    at_ms  BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;
