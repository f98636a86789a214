-- A store of version 1 with one observation and a tally of 41 messages.
PRAGMA application_id = 1819112035;
BEGIN TRANSACTION;
CREATE TABLE hour (
    hour  INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL
) STRICT;
INSERT INTO "hour" VALUES(494520,0,0);
CREATE TABLE migration (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL) STRICT;
INSERT INTO "migration" VALUES(1,1795192929997);
CREATE TABLE name (
    block   INTEGER NOT NULL,
    slice   INTEGER NOT NULL,
    entries BLOB    NOT NULL,
    PRIMARY KEY (block, slice)
) STRICT, WITHOUT ROWID;
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
INSERT INTO "observation" VALUES(0,1780272000001,'4ZQ00000001','id-1',X'C0000207',1,1,4,12);
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
INSERT INTO "outcome" VALUES(1,X'C62748DED6E0CAB9E99871F4CC11586F',20605,'com.example.','pass','pass','none','pass','example.com','reject','pass','accept','accept','[["local_policy","arc=pass"]]','forwarder','an aligned signature passed');
CREATE TABLE posting (
    block   INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    places  BLOB    NOT NULL,
    PRIMARY KEY (block, outcome)
) STRICT, WITHOUT ROWID;
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
INSERT INTO "published" VALUES(1,X'4D7DEBDD6992A120F4BBD3BFB3BFAA87',20605,'reject','quarantine','reject','r','s','1:d',1,'treewalk','["mailto:a@example.com","mailto:b@example.net!10m"]','["mailto:f@example.com"]');
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
INSERT INTO "reporting_row" VALUES(1,X'AA5D9E564B7DB4E2435FA25181A6A341',20605,1,1,X'C0000207',1,2,3,1,4,5,6,7);
CREATE TABLE rule_hit (
    name     TEXT    NOT NULL PRIMARY KEY,
    hits     INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "rule_hit" VALUES('forwarder',17,1780272000001,1780272000009);
CREATE TABLE tally (
    day           INTEGER NOT NULL,
    policy_domain INTEGER NOT NULL,
    reporting_row INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    PRIMARY KEY (day, policy_domain, reporting_row)
) STRICT, WITHOUT ROWID;
INSERT INTO "tally" VALUES(20605,1,1,38);
CREATE TABLE tally_journal (
    id      INTEGER PRIMARY KEY,
    day     INTEGER NOT NULL,
    entries BLOB    NOT NULL
) STRICT;
INSERT INTO "tally_journal" VALUES(1,20605,X'010102');
INSERT INTO "tally_journal" VALUES(2,20605,X'010101');
CREATE TABLE text (
    id       INTEGER PRIMARY KEY,
    digest   BLOB    NOT NULL UNIQUE,
    last_day INTEGER NOT NULL,
    value    TEXT    NOT NULL
) STRICT;
INSERT INTO "text" VALUES(1,X'A379A6F6EEAFB9A55E378C118034E275',20605,'example.com');
INSERT INTO "text" VALUES(2,X'D74FF0EE8DA3B9806B18C877DBF29BBD',20605,'pass');
INSERT INTO "text" VALUES(3,X'9F4932AB2A56F9C05305EDAA595FE3E8',20605,'[["local_policy","arc=pass as[1].d=lists.example"]]');
INSERT INTO "text" VALUES(4,X'E3B0C44298FC1C149AFBF4C8996FB924',20605,'');
INSERT INTO "text" VALUES(5,X'BFABC37432958B063360D3AD6461C9C4',20605,'example.org');
INSERT INTO "text" VALUES(6,X'36BEEBFB2301C9BBBEBC8C29D473540A',20605,'[["example.com","s1","pass"],["lists.example","s2","fail"]]');
INSERT INTO "text" VALUES(7,X'823CC9BBE9809DBD8C9CE0A91F739EA3',20605,'["mx.example.com","mfrom","softfail"]');
CREATE TABLE trace (
    id       INTEGER PRIMARY KEY,
    digest   BLOB    NOT NULL UNIQUE,
    last_day INTEGER NOT NULL,
    size     INTEGER NOT NULL,         -- octets of the text
    text     BLOB    NOT NULL          -- compressed: raw deflate
) STRICT;
INSERT INTO "trace" VALUES(1,X'82FFB944537320013D1B9259B4F7AD9C',20605,20,X'4B5428294A4C4E55C84F53284B2D2ACECCCF53300400');
CREATE INDEX outcome_by_author ON outcome (author);
CREATE INDEX outcome_by_day ON outcome (last_day);
CREATE INDEX trace_by_day ON trace (last_day);
CREATE INDEX text_by_day ON text (last_day);
CREATE INDEX published_by_day ON published (last_day);
CREATE INDEX reporting_row_by_day ON reporting_row (last_day);
COMMIT;
