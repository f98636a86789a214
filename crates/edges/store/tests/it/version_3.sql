-- A store of version 3 with seven observations, a tally of 37 messages of which 30 were imported, and a report with a
-- letter that waits.
PRAGMA application_id = 1819112035;
BEGIN TRANSACTION;
CREATE TABLE body (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    created_ms INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    staged     INTEGER              -- 1 until a report has it
) STRICT;
INSERT INTO "body" VALUES(1,1,17,NULL);
CREATE TABLE chunk (
    id     INTEGER PRIMARY KEY,     -- body * 256 + place
    octets BLOB    NOT NULL
) STRICT;
INSERT INTO "chunk" VALUES(256,X'61626F7574206578616D706C652E636F6D');
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
INSERT INTO "delivery" VALUES(1,1,'rua@example.com','example.com','<rua@example.com>','queued',0,1780359300000,1780359300000,NULL,NULL,NULL,NULL,'');
CREATE TABLE expiry (steps INTEGER NOT NULL) STRICT;
INSERT INTO "expiry" VALUES(0);
CREATE TABLE hour (
    hour  INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL
) STRICT;
INSERT INTO "hour" VALUES(494520,0,4096);
CREATE TABLE imported (
    key   BLOB    NOT NULL PRIMARY KEY,
    day   INTEGER NOT NULL,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "imported" VALUES(X'8254C329A92850F6D539DD376F4816EE',20605,30);
CREATE TABLE migration (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL) STRICT;
INSERT INTO "migration" VALUES(1,1795244062636);
INSERT INTO "migration" VALUES(2,1795244062638);
INSERT INTO "migration" VALUES(3,1795244062638);
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
INSERT INTO "observation" VALUES(1,1780272000002,'4ZQ00000002','id-2',X'C0000207',2,NULL,4,12);
INSERT INTO "observation" VALUES(2,1780272000003,'4ZQ00000003','id-3',X'C0000207',2,NULL,4,12);
INSERT INTO "observation" VALUES(3,1780272000004,'4ZQ00000004','id-4',X'C0000207',2,NULL,4,12);
INSERT INTO "observation" VALUES(4,1780272000005,'4ZQ00000005','id-5',X'C0000207',2,NULL,4,12);
INSERT INTO "observation" VALUES(5,1780272000006,'4ZQ00000006','id-6',X'C0000207',2,NULL,4,12);
INSERT INTO "observation" VALUES(6,1780272000007,'4ZQ00000007','id-7',X'C0000207',2,NULL,4,12);
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
INSERT INTO "outcome" VALUES(1,X'9B9EC515AFDCCFC31F087D372E3DAC5B',20605,'com.example.','pass','pass','none','pass','example.com','reject','pass','accept','accept','[["local_policy","arc=pass"]]','forwarder','an aligned signature passed');
INSERT INTO "outcome" VALUES(2,X'1380A9B22A4840A66142C4EB64249BAD',20605,'com.example.','pass','pass','none','pass','example.com','reject','pass','accept','accept','[["local_policy","arc=pass"]]',NULL,'an aligned signature passed');
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
, problems TEXT NOT NULL DEFAULT '[]', psd INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "published" VALUES(1,X'4D7DEBDD6992A120F4BBD3BFB3BFAA87',20605,'reject','quarantine','reject','r','s','1:d',1,'treewalk','["mailto:a@example.com","mailto:b@example.net!10m"]','["mailto:f@example.com"]','[]',0);
CREATE TABLE redirection (
    policy_domain TEXT    NOT NULL PRIMARY KEY,
    rua           TEXT    NOT NULL,   -- JSON: [URI, ...]
    since_ms      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
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
INSERT INTO "report" VALUES(1,'id-of-example.com','aggregate','example.com',20605,1780272000,1780358399,'c1',1,'receiver.example!example.com!1!2!id.xml.gz','receiver.example','dmarc@receiver.example','Receiver','{}',1780359300000,3,42,17,1,1);
CREATE TABLE reported_day (
    day      INTEGER PRIMARY KEY,
    began_ms INTEGER NOT NULL,
    done_ms  INTEGER,
    domains  INTEGER NOT NULL DEFAULT 0,
    reports  INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0,
    skipped  INTEGER NOT NULL DEFAULT 0
) STRICT;
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
INSERT INTO "rule_hit" VALUES('forwarder',1,1780272000001,1780272000001);
CREATE TABLE secret (
    name   TEXT NOT NULL PRIMARY KEY,
    octets BLOB NOT NULL
) STRICT, WITHOUT ROWID;
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
CREATE TABLE tally (
    day           INTEGER NOT NULL,
    policy_domain INTEGER NOT NULL,
    reporting_row INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    PRIMARY KEY (day, policy_domain, reporting_row)
) STRICT, WITHOUT ROWID;
INSERT INTO "tally" VALUES(20605,1,1,31);
CREATE TABLE tally_journal (
    id      INTEGER PRIMARY KEY,
    day     INTEGER NOT NULL,
    entries BLOB    NOT NULL
) STRICT;
INSERT INTO "tally_journal" VALUES(1,20605,X'010106');
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
INSERT INTO "trace" VALUES(1,X'EBB4C6C84CF19AC9E855B647481E5379',20605,20,X'4B5428294A4C4E55C84F53284B2D2ACECCCF53300600');
CREATE INDEX outcome_by_author ON outcome (author);
CREATE INDEX outcome_by_day ON outcome (last_day);
CREATE INDEX trace_by_day ON trace (last_day);
CREATE INDEX text_by_day ON text (last_day);
CREATE INDEX published_by_day ON published (last_day);
CREATE INDEX reporting_row_by_day ON reporting_row (last_day);
CREATE INDEX body_staged ON body (created_ms) WHERE staged IS NOT NULL;
CREATE INDEX report_by_domain ON report (policy_domain, day, configuration);
CREATE INDEX report_by_day ON report (day);
CREATE INDEX delivery_open ON delivery (next_ms, state, lease_until_ms) WHERE ended_ms IS NULL;
CREATE INDEX delivery_leased ON delivery (lease_owner) WHERE lease_owner IS NOT NULL;
CREATE INDEX imported_by_day ON imported (day);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('body',1);
INSERT INTO "sqlite_sequence" VALUES('report',1);
INSERT INTO "sqlite_sequence" VALUES('delivery',1);
COMMIT;
