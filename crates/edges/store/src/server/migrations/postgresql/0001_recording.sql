-- Version 1: what a fleet has recorded.
--
-- * Every table with messages' data has policy_domain first in its primary key: it is the key by which such
--   a table can be spread over several servers (decision D16), and no statement joins two of them without it.
--   Observations and traces of messages without a DMARC Policy Domain go by the Author Domain, or by ''.
-- * What repeats is stored once and named by its digest, the first half of the SHA-256 of its content, so that
--   writing it again changes nothing and asks for no number. `last_day` is the last UTC day that used it.
-- * tally and observation have a partition for each UTC day: what expires is dropped and not searched for.
-- * Wide columns that need alignment come first: a row is several octets shorter by it.
--
-- Names compare by their octets, whatever the database was made with.

-- The hosts that record into this store, and how far each has come (decision D15).
CREATE TABLE host (
    id              BYTEA        NOT NULL PRIMARY KEY,     -- 16 octets
    ordinal         BIGINT       GENERATED ALWAYS AS IDENTITY UNIQUE,
    name            VARCHAR(255) COLLATE "C" NOT NULL,
    through         BIGINT       NOT NULL,                 -- all entries up to this number are in
    observations    BIGINT       NOT NULL,                 -- how many of its observations ever came
    seen_ms         BIGINT       NOT NULL,                 -- by the clock of the server
    clock_offset_ms BIGINT       NOT NULL,                 -- its clock ahead of the server's
    caught_up_ms    BIGINT       NOT NULL,                 -- what it recorded before is here, by its clock; 0: never said
    pending         BIGINT       NOT NULL                  -- messages that waited on it then
);

-- Entries that are in ahead of others: from one number to another.
CREATE TABLE batch (
    host  BYTEA  NOT NULL,
    first BIGINT NOT NULL,
    last  BIGINT NOT NULL,
    PRIMARY KEY (host, first)
);

CREATE TABLE published (
    first            BIGINT       NOT NULL,                -- orders those of a domain by when they were seen first
    last_day         INTEGER      NOT NULL,
    testing          SMALLINT     NOT NULL,
    psd              SMALLINT     NOT NULL,
    policy_domain    VARCHAR(255) COLLATE "C" NOT NULL,
    digest           BYTEA        NOT NULL,
    p                VARCHAR(255) NOT NULL,
    sp               VARCHAR(255) NOT NULL,
    np               VARCHAR(255),
    adkim            VARCHAR(255) NOT NULL,
    aspf             VARCHAR(255) NOT NULL,
    fo               VARCHAR(255) NOT NULL,
    discovery_method VARCHAR(255) NOT NULL,
    rua              TEXT         NOT NULL,                -- JSON: [address, ...]
    ruf              TEXT         NOT NULL,
    problems         TEXT         NOT NULL,                -- JSON: [text, ...]
    PRIMARY KEY (policy_domain, digest)
);
CREATE INDEX published_by_day ON published (last_day);

CREATE TABLE reporting_row (
    last_day      INTEGER      NOT NULL,
    aligned       SMALLINT     NOT NULL,                   -- 1: DKIM, 2: SPF, 4: incidental
    policy_domain VARCHAR(255) COLLATE "C" NOT NULL,
    digest        BYTEA        NOT NULL,
    published     BYTEA        NOT NULL,
    source_ip     BYTEA        NOT NULL,                   -- 4 or 16 octets
    disposition   VARCHAR(255) NOT NULL,
    reasons       TEXT         NOT NULL,                   -- JSON: [[type, comment], ...]
    header_from   VARCHAR(255) NOT NULL,
    envelope_from VARCHAR(255),
    envelope_to   VARCHAR(255),
    dkim          TEXT         NOT NULL,                   -- JSON: [[domain, selector, result], ...]
    spf           TEXT         NOT NULL,                   -- JSON: [domain, scope, result] or null
    PRIMARY KEY (policy_domain, digest)
);
CREATE INDEX reporting_row_by_day ON reporting_row (last_day);

CREATE TABLE tally (
    count         BIGINT       NOT NULL,
    day           INTEGER      NOT NULL,
    policy_domain VARCHAR(255) COLLATE "C" NOT NULL,
    reporting_row BYTEA        NOT NULL,
    PRIMARY KEY (policy_domain, day, reporting_row)
) PARTITION BY RANGE (day);
CREATE TABLE tally_default PARTITION OF tally DEFAULT;

-- The days that the tally has rows of.
CREATE TABLE tally_day (
    day INTEGER NOT NULL PRIMARY KEY
);

CREATE TABLE outcome (
    last_day      INTEGER      NOT NULL,
    is_found      SMALLINT     NOT NULL,                   -- 0: policy_domain is the Author Domain, or nothing
    policy_domain VARCHAR(255) COLLATE "C" NOT NULL,
    digest        BYTEA        NOT NULL,
    author        VARCHAR(256) COLLATE "C",                -- labels reversed, each with its dot: com.example.
    spf           VARCHAR(255) NOT NULL,
    dkim          VARCHAR(255) NOT NULL,
    arc           VARCHAR(255) NOT NULL,
    dmarc         VARCHAR(255) NOT NULL,
    policy        VARCHAR(255),
    disposition   VARCHAR(255) NOT NULL,
    action        VARCHAR(255) NOT NULL,
    would         VARCHAR(255) NOT NULL,
    overrides     TEXT         NOT NULL,                   -- JSON: [[type, comment], ...]
    rule          VARCHAR(255),
    cause         TEXT         NOT NULL,
    PRIMARY KEY (policy_domain, digest)
);
CREATE INDEX outcome_by_author ON outcome (author);
CREATE INDEX outcome_by_day ON outcome (last_day);

CREATE TABLE trace (
    last_day      INTEGER      NOT NULL,
    size          INTEGER      NOT NULL,                   -- octets of the text
    policy_domain VARCHAR(255) COLLATE "C" NOT NULL,
    digest        BYTEA        NOT NULL,
    text          BYTEA        NOT NULL,                   -- compressed: raw deflate
    PRIMARY KEY (policy_domain, digest)
);
ALTER TABLE trace ALTER COLUMN text SET STORAGE EXTERNAL;
CREATE INDEX trace_by_day ON trace (last_day);

-- `origin` tells messages of one millisecond apart: the ordinal of the host and the count of its observations.
CREATE TABLE observation (
    at_ms         BIGINT       NOT NULL,
    origin        BIGINT       NOT NULL,
    questions     BIGINT       NOT NULL,
    ms            BIGINT       NOT NULL,
    policy_domain VARCHAR(255) COLLATE "C" NOT NULL,
    queue_id      VARCHAR(255) COLLATE "C" NOT NULL,
    short_id      VARCHAR(255) COLLATE "C" NOT NULL,
    client        BYTEA,                                   -- 4 or 16 octets
    outcome       BYTEA        NOT NULL,
    trace         BYTEA,
    PRIMARY KEY (policy_domain, at_ms, origin)
) PARTITION BY RANGE (at_ms);
CREATE INDEX observation_by_time ON observation (at_ms, origin);
CREATE INDEX observation_by_queue_id ON observation (queue_id);
CREATE INDEX observation_by_short_id ON observation (short_id);
CREATE TABLE observation_default PARTITION OF observation DEFAULT;

-- How often each rule of the operator decided: since when it is known, and when it did last (0: never).
CREATE TABLE rule_hit (
    name     VARCHAR(255) COLLATE "C" NOT NULL PRIMARY KEY,
    hits     BIGINT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms  BIGINT NOT NULL
);

-- Steps in which what has expired was removed: whoever remembers what is stored forgets it when this has changed.
CREATE TABLE expiry (
    id    INTEGER NOT NULL PRIMARY KEY,
    steps BIGINT  NOT NULL
);
INSERT INTO expiry (id, steps) VALUES (1, 0);

-- The two functions below see the system alone, and name our tables with their schema, which is known here: up to PostgreSQL 14
-- everyone may make functions and operators in the schema public, and these would be called in the owner's name.
--
-- Makes the partition of a UTC day, so that the service needs no right to make tables. False when there is none:
-- the day is out of reason (a clock is), or rows of it are in the default partition already, and stay there.
DO $make$
BEGIN
    EXECUTE pg_catalog.replace($function$
CREATE FUNCTION landmarc_add_day(parent TEXT, day INTEGER) RETURNS BOOLEAN
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today CONSTANT INTEGER := floor(extract(epoch FROM statement_timestamp()) / 86400);
    place CONSTANT TEXT := SCHEMA_OF_TABLES;
    part  CONSTANT TEXT := parent || '_' || day;
    unit  CONSTANT BIGINT := CASE parent WHEN 'observation' THEN 86400000 ELSE 1 END;
BEGIN
    IF parent IS NULL OR parent NOT IN ('tally', 'observation') THEN
        RAISE EXCEPTION 'no table with days: %', parent;
    END IF;
    IF day IS NULL OR day < 0 OR day < today - 1100 OR day > today + 2 THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(7813, day);
    IF to_regclass(format('%I.%I', place, part)) IS NOT NULL THEN
        RETURN true;
    END IF;
    EXECUTE format('CREATE TABLE %1$I.%2$I (LIKE %1$I.%3$I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)',
                   place, part, parent);
    IF parent = 'tally' THEN
        -- Counts grow in place: with room in each page no index is touched by it.
        EXECUTE format('ALTER TABLE %I.%I SET (fillfactor = 90)', place, part);
    END IF;
    EXECUTE format('ALTER TABLE %1$I.%2$I ATTACH PARTITION %1$I.%3$I FOR VALUES FROM (%4$s) TO (%5$s)',
                   place, parent, part, day * unit, (day + 1) * unit);
    RETURN true;
EXCEPTION
    WHEN check_violation THEN
        RETURN false;
END
$$
$function$, 'SCHEMA_OF_TABLES', pg_catalog.quote_literal(pg_catalog.current_schema()));
END
$make$;

-- Drops the partition of a UTC day before yesterday; whether there was one. Waits for nobody for long.
DO $make$
BEGIN
    EXECUTE pg_catalog.replace($function$
CREATE FUNCTION landmarc_drop_day(parent TEXT, day INTEGER) RETURNS BOOLEAN
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    today CONSTANT INTEGER := floor(extract(epoch FROM statement_timestamp()) / 86400);
    place CONSTANT TEXT := SCHEMA_OF_TABLES;
    part  CONSTANT TEXT := parent || '_' || day;
BEGIN
    IF parent IS NULL OR parent NOT IN ('tally', 'observation') THEN
        RAISE EXCEPTION 'no table with days: %', parent;
    END IF;
    IF day IS NULL OR day < 0 OR day >= today - 1 THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(7813, day);
    IF to_regclass(format('%I.%I', place, part)) IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %I.%I', place, part);
    RETURN true;
EXCEPTION
    WHEN lock_not_available THEN
        RETURN false;
END
$$
$function$, 'SCHEMA_OF_TABLES', pg_catalog.quote_literal(pg_catalog.current_schema()));
END
$make$;

-- Neither is for everyone.
REVOKE ALL ON FUNCTION landmarc_add_day(TEXT, INTEGER) FROM PUBLIC;
REVOKE ALL ON FUNCTION landmarc_drop_day(TEXT, INTEGER) FROM PUBLIC;
