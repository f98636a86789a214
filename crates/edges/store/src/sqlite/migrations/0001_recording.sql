-- Version 1: observations and tallies.
--
-- Three rules keep this small and quick (figures: docs of the crate):
-- * What repeats is stored once and named by a number (outcome, trace, text, published, reporting_row).
--   `digest` is the first half of the SHA-256 of the content; `last_day` the last UTC day that used it,
--   so that what nothing uses any more can be found without a search for users.
-- * Observations are only ever appended. What finds them is made afterwards, a block of them at a
--   time and in order (name, posting), and what they count is journalled first (tally_journal), so
--   that no message costs a write in the middle of a table.
-- * What expires is led by what it expires by, so that expiry is a cut and not a search.

CREATE TABLE outcome (
    id            INTEGER PRIMARY KEY,
    digest        BLOB    NOT NULL UNIQUE,
    last_day      INTEGER NOT NULL,
    author        TEXT,                -- labels reversed, each with its dot: com.example.
    spf           TEXT    NOT NULL,
    dkim          TEXT    NOT NULL,
    arc           TEXT    NOT NULL,
    dmarc         TEXT    NOT NULL,
    policy_domain TEXT,
    policy        TEXT,
    disposition   TEXT    NOT NULL,
    action        TEXT    NOT NULL,
    would         TEXT    NOT NULL,
    overrides     TEXT    NOT NULL,    -- JSON: [[type, comment], ...]
    rule          TEXT,
    cause         TEXT    NOT NULL
) STRICT;
CREATE INDEX outcome_by_author ON outcome (author);
CREATE INDEX outcome_by_day ON outcome (last_day);

CREATE TABLE trace (
    id       INTEGER PRIMARY KEY,
    digest   BLOB    NOT NULL UNIQUE,
    last_day INTEGER NOT NULL,
    size     INTEGER NOT NULL,         -- octets of the text
    text     BLOB    NOT NULL          -- compressed: raw deflate
) STRICT;
CREATE INDEX trace_by_day ON trace (last_day);

CREATE TABLE observation (
    id        INTEGER PRIMARY KEY,     -- in the order of recording; block and place in it
    at_ms     INTEGER NOT NULL,
    queue_id  TEXT    NOT NULL,
    short_id  TEXT    NOT NULL,
    client    BLOB,                    -- 4 or 16 octets
    outcome   INTEGER NOT NULL,
    trace     INTEGER,
    questions INTEGER NOT NULL,
    ms        INTEGER NOT NULL
) STRICT;

-- The observations of each hour lie between these two, whatever the clock did.
CREATE TABLE hour (
    hour  INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL
) STRICT;

-- The queue ids and short ids of a full block: sorted hashes with places, in slices by hash.
CREATE TABLE name (
    block   INTEGER NOT NULL,
    slice   INTEGER NOT NULL,
    entries BLOB    NOT NULL,
    PRIMARY KEY (block, slice)
) STRICT, WITHOUT ROWID;

-- The places in a full block that had this outcome.
CREATE TABLE posting (
    block   INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    places  BLOB    NOT NULL,
    PRIMARY KEY (block, outcome)
) STRICT, WITHOUT ROWID;

CREATE TABLE text (
    id       INTEGER PRIMARY KEY,
    digest   BLOB    NOT NULL UNIQUE,
    last_day INTEGER NOT NULL,
    value    TEXT    NOT NULL
) STRICT;
CREATE INDEX text_by_day ON text (last_day);

CREATE TABLE published (
    id               INTEGER PRIMARY KEY,
    digest           BLOB    NOT NULL UNIQUE,
    last_day         INTEGER NOT NULL,
    p                TEXT    NOT NULL,
    sp               TEXT    NOT NULL,
    np               TEXT,
    adkim            TEXT    NOT NULL,
    aspf             TEXT    NOT NULL,
    fo               TEXT    NOT NULL,
    testing          INTEGER NOT NULL,
    discovery_method TEXT    NOT NULL,
    rua              TEXT    NOT NULL, -- JSON: [address, ...]
    ruf              TEXT    NOT NULL
) STRICT;
CREATE INDEX published_by_day ON published (last_day);

-- Every reference but `published` is to a text; lists are JSON texts.
CREATE TABLE reporting_row (
    id            INTEGER PRIMARY KEY,
    digest        BLOB    NOT NULL UNIQUE,
    last_day      INTEGER NOT NULL,
    policy_domain INTEGER NOT NULL,
    published     INTEGER NOT NULL,
    source_ip     BLOB    NOT NULL,
    aligned       INTEGER NOT NULL,    -- 1: DKIM, 2: SPF
    disposition   INTEGER NOT NULL,
    reasons       INTEGER NOT NULL,
    header_from   INTEGER NOT NULL,
    envelope_from INTEGER,
    envelope_to   INTEGER,
    dkim          INTEGER NOT NULL,
    spf           INTEGER NOT NULL
) STRICT;
CREATE INDEX reporting_row_by_day ON reporting_row (last_day);

CREATE TABLE tally (
    day           INTEGER NOT NULL,
    policy_domain INTEGER NOT NULL,
    reporting_row INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    PRIMARY KEY (day, policy_domain, reporting_row)
) STRICT, WITHOUT ROWID;

-- What each batch counted and the tally does not yet: policy domain, reporting row, count, three
-- LEB128 numbers an entry. Folded into the tally many batches at a time.
CREATE TABLE tally_journal (
    id      INTEGER PRIMARY KEY,
    day     INTEGER NOT NULL,
    entries BLOB    NOT NULL
) STRICT;

-- How often each rule of the operator decided: since when it is known, and when it did last (0: never).
CREATE TABLE rule_hit (
    name     TEXT    NOT NULL PRIMARY KEY,
    hits     INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
