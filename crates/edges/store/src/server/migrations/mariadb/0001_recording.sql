-- Version 1: what a fleet has recorded.
--
-- * Every table with messages' data has policy_domain first in its primary key: it is the key by which such
--   a table can be spread over several servers (decision D16), and no statement joins two of them without it.
--   Observations and traces of messages without a DMARC Policy Domain go by the Author Domain, or by ''.
-- * What repeats is stored once and named by its digest, the first half of the SHA-256 of its content, so that
--   writing it again changes nothing and asks for no number. `last_day` is the last UTC day that used it.
-- * An index holds the primary key with each entry: so there are few of them, and no key is longer than it must.

-- The hosts that record into this store, and how far each has come (decision D15).
CREATE TABLE IF NOT EXISTS host (
    id              BINARY(16)   NOT NULL PRIMARY KEY,
    ordinal         BIGINT       NOT NULL AUTO_INCREMENT UNIQUE,
    name            VARCHAR(255) NOT NULL,
    through         BIGINT       NOT NULL,                 -- all entries up to this number are in
    observations    BIGINT       NOT NULL,                 -- how many of its observations ever came
    seen_ms         BIGINT       NOT NULL,                 -- by the clock of the server
    clock_offset_ms BIGINT       NOT NULL,                 -- its clock ahead of the server's
    caught_up_ms    BIGINT       NOT NULL,                 -- what it recorded before is here, by its clock; 0: never said
    pending         BIGINT       NOT NULL                  -- messages that waited on it then
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

-- Entries that are in ahead of others: from one number to another.
CREATE TABLE IF NOT EXISTS batch (
    host  BINARY(16) NOT NULL,
    first BIGINT     NOT NULL,
    last  BIGINT     NOT NULL,
    PRIMARY KEY (host, first)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS published (
    policy_domain    VARCHAR(255) NOT NULL,
    digest           BINARY(16)   NOT NULL,
    first            BIGINT       NOT NULL,                -- orders those of a domain by when they were seen first
    last_day         INTEGER      NOT NULL,
    p                VARCHAR(255) NOT NULL,
    sp               VARCHAR(255) NOT NULL,
    np               VARCHAR(255),
    adkim            VARCHAR(255) NOT NULL,
    aspf             VARCHAR(255) NOT NULL,
    fo               VARCHAR(255) NOT NULL,
    testing          SMALLINT     NOT NULL,
    discovery_method VARCHAR(255) NOT NULL,
    rua              MEDIUMTEXT   NOT NULL,                -- JSON: [address, ...]
    ruf              MEDIUMTEXT   NOT NULL,
    problems         MEDIUMTEXT   NOT NULL,                -- JSON: [text, ...]
    psd              SMALLINT     NOT NULL,
    PRIMARY KEY (policy_domain, digest),
    KEY published_by_day (last_day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS reporting_row (
    policy_domain VARCHAR(255)  NOT NULL,
    digest        BINARY(16)    NOT NULL,
    last_day      INTEGER       NOT NULL,
    published     BINARY(16)    NOT NULL,
    source_ip     VARBINARY(16) NOT NULL,                  -- 4 or 16 octets
    aligned       SMALLINT      NOT NULL,                  -- 1: DKIM, 2: SPF, 4: incidental
    disposition   VARCHAR(255)  NOT NULL,
    reasons       MEDIUMTEXT    NOT NULL,                  -- JSON: [[type, comment], ...]
    header_from   VARCHAR(255)  NOT NULL,
    envelope_from VARCHAR(255),
    envelope_to   VARCHAR(255),
    dkim          MEDIUMTEXT    NOT NULL,                  -- JSON: [[domain, selector, result], ...]
    spf           MEDIUMTEXT    NOT NULL,                  -- JSON: [domain, scope, result] or null
    PRIMARY KEY (policy_domain, digest),
    KEY reporting_row_by_day (last_day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS tally (
    policy_domain VARCHAR(255) NOT NULL,
    day           INTEGER      NOT NULL,
    reporting_row BINARY(16)   NOT NULL,
    count         BIGINT       NOT NULL,
    PRIMARY KEY (policy_domain, day, reporting_row),
    KEY tally_by_day (day, policy_domain, reporting_row)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

-- The days that the tally has rows of.
CREATE TABLE IF NOT EXISTS tally_day (
    day INTEGER NOT NULL PRIMARY KEY
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS outcome (
    policy_domain VARCHAR(255) NOT NULL,
    digest        BINARY(16)   NOT NULL,
    last_day      INTEGER      NOT NULL,
    is_found      SMALLINT     NOT NULL,                   -- 0: policy_domain is the Author Domain, or nothing
    author        VARCHAR(256),                            -- labels reversed, each with its dot: com.example.
    spf           VARCHAR(255) NOT NULL,
    dkim          VARCHAR(255) NOT NULL,
    arc           VARCHAR(255) NOT NULL,
    dmarc         VARCHAR(255) NOT NULL,
    policy        VARCHAR(255),
    disposition   VARCHAR(255) NOT NULL,
    action        VARCHAR(255) NOT NULL,
    would         VARCHAR(255) NOT NULL,
    overrides     MEDIUMTEXT   NOT NULL,                   -- JSON: [[type, comment], ...]
    rule          VARCHAR(255),
    cause         TEXT         NOT NULL,
    PRIMARY KEY (policy_domain, digest),
    KEY outcome_by_author (author),
    KEY outcome_by_day (last_day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS trace (
    policy_domain VARCHAR(255) NOT NULL,
    digest        BINARY(16)   NOT NULL,
    last_day      INTEGER      NOT NULL,
    size          INTEGER      NOT NULL,                   -- octets of the text
    text          LONGBLOB     NOT NULL,                   -- compressed: raw deflate
    PRIMARY KEY (policy_domain, digest),
    KEY trace_by_day (last_day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

-- `origin` tells messages of one millisecond apart: the ordinal of the host and the count of its observations.
CREATE TABLE IF NOT EXISTS observation (
    policy_domain VARCHAR(255) NOT NULL,
    at_ms         BIGINT       NOT NULL,
    origin        BIGINT       NOT NULL,
    queue_id      VARCHAR(255) NOT NULL,
    short_id      VARCHAR(255) NOT NULL,
    client        VARBINARY(16),                           -- 4 or 16 octets
    outcome       BINARY(16)   NOT NULL,
    trace         BINARY(16),
    questions     BIGINT       NOT NULL,
    ms            BIGINT       NOT NULL,
    PRIMARY KEY (policy_domain, at_ms, origin),
    KEY observation_by_time (at_ms, origin),
    KEY observation_by_queue_id (queue_id),
    KEY observation_by_short_id (short_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

-- How often each rule of the operator decided: since when it is known, and when it did last (0: never).
CREATE TABLE IF NOT EXISTS rule_hit (
    name     VARCHAR(255) NOT NULL PRIMARY KEY,
    hits     BIGINT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms  BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;

-- Steps in which what has expired was removed: whoever remembers what is stored forgets it when this has changed.
CREATE TABLE IF NOT EXISTS expiry (
    id    INTEGER NOT NULL PRIMARY KEY,
    steps BIGINT  NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin;
INSERT IGNORE INTO expiry (id, steps) VALUES (1, 0);
