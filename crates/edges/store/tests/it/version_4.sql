-- A store of version 4: that of version_3.sql, and a message that waits for a fleet. It was accepted in mode "observe", which
-- "enforce" refuses.
PRAGMA application_id = 1819112035;
BEGIN TRANSACTION;
CREATE TABLE batch (
    host  BLOB    NOT NULL,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    PRIMARY KEY (host, first)
) STRICT, WITHOUT ROWID;
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
INSERT INTO "expiry" VALUES(1);
CREATE TABLE host (
    id              BLOB    NOT NULL PRIMARY KEY,
    name            TEXT    NOT NULL,
    through         INTEGER NOT NULL,       -- all entries to this one are here
    seen_ms         INTEGER NOT NULL,
    clock_offset_ms INTEGER NOT NULL,       -- by how much its clock is ahead of ours
    caught_up_ms    INTEGER NOT NULL,       -- by its clock: all that it recorded before is here
    pending         INTEGER NOT NULL        -- messages that wait there
) STRICT, WITHOUT ROWID;
CREATE TABLE hour (
    hour  INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL
) STRICT;
INSERT INTO "hour" VALUES(494520,0,4096);
INSERT INTO "hour" VALUES(498694,7,4103);
CREATE TABLE imported (
    key   BLOB    NOT NULL PRIMARY KEY,
    day   INTEGER NOT NULL,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "imported" VALUES(X'8254C329A92850F6D539DD376F4816EE',20605,30);
CREATE TABLE lease (
    name     TEXT    NOT NULL PRIMARY KEY,
    owner    TEXT    NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE migration (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL) STRICT;
INSERT INTO "migration" VALUES(1,1795244062636);
INSERT INTO "migration" VALUES(2,1795244062638);
INSERT INTO "migration" VALUES(3,1795244062638);
INSERT INTO "migration" VALUES(4,1795300438107);
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
INSERT INTO "observation" VALUES(7,1795300451616,'unknown','ng47330ddx8c',NULL,3,2,0,0);
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
INSERT INTO "outcome" VALUES(3,X'0A913822DA49BCA72C70B1296CFC8F6F',20778,NULL,'none','none','none','permerror',NULL,NULL,'none','accept','reject','[["local_policy","observe mode: reject not carried out"]]',NULL,'the message has 2 From fields');
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
CREATE TABLE spool (
    id                INTEGER PRIMARY KEY,  -- in the order of recording; never given out again
    host              BLOB    NOT NULL,
    first             INTEGER NOT NULL,
    number            INTEGER NOT NULL,
    closed_ms         INTEGER NOT NULL,
    handed_out        INTEGER NOT NULL,     -- 1: somebody may have it, so its counts stay in it
    messages          INTEGER NOT NULL,     -- that its counts are about
    rule_hits         INTEGER NOT NULL,
    observation_count INTEGER NOT NULL,
    trace_count       INTEGER NOT NULL,
    row_count         INTEGER NOT NULL,     -- reporting rows and rules in its counts
    counts            BLOB                  -- null when they had to go
) STRICT;
INSERT INTO "spool" VALUES(1,X'FB27F3CDA34A79B4BF4316E978001538',1,1,1795300451616,1,0,0,1,1,0,X'0263600000');
CREATE TABLE spool_host (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    host              BLOB,                 -- null: a new one is to be made
    inode             INTEGER NOT NULL,     -- of the file this is the id of: a copy is another host
    next              INTEGER NOT NULL,     -- number of the next entry
    next_id           INTEGER NOT NULL,
    fold_from         INTEGER NOT NULL,     -- entries before it were folded in this round
    fold_saved        INTEGER NOT NULL,     -- octets that this round has saved
    entries           INTEGER NOT NULL,
    octets            INTEGER NOT NULL,
    messages          INTEGER NOT NULL,
    lost_traces       INTEGER NOT NULL,
    lost_observations INTEGER NOT NULL,
    lost_tallies      INTEGER NOT NULL,
    lost_rule_hits    INTEGER NOT NULL
) STRICT;
INSERT INTO "spool_host" VALUES(1,X'FB27F3CDA34A79B4BF4316E978001538',10068561,2,2,0,0,1,883,0,0,0,0,0);
CREATE TABLE spool_observations (
    id     INTEGER PRIMARY KEY,
    octets BLOB    NOT NULL
) STRICT;
INSERT INTO "spool_observations" VALUES(1,X'B501636460606060C9CBCF4B45109C05A945B9A94545F9456031B6C4E4E4D48212B6A2D4ACD4E412D9928C5485DCD4E2E2C4F454858CC462052305B7A2FC5C85B4CCD49C9462469E9CFCE4C49CF882FC9CCCE44A95FCA4E2D4A2B25485DCFC94542B0588010A79F9250AC989454599A9290AF9A5258C111237D6472ED1D48C9BA1B388E9F3EAEC05A77E372E306164602FCDCBCECB2FCFE3C94B37313736364849A9B04866606064600000');
CREATE TABLE spool_traces (
    id     INTEGER PRIMARY KEY,
    octets BLOB    NOT NULL
) STRICT;
INSERT INTO "spool_traces" VALUES(1,X'F206637CCFE69B9899A39056949FAB9098A7509A979D975F9EA790585A92915FA4909C9897975FA29094AA90559A929E9AA29054A9E0E2EB18E4ACA051905A949B5A54945FA4A9909897A29059AC90989C9C5A50929A62AD9099A7909B9F92AAA0949A97965F949CAAA49059C2A5A0509E5F9A930232AC2835ADB43835458FCB39B1B438D54AA12423552137B5B838313D552123B158C148C10DE49EB4CCD49C94623D2E2E47B06BAC14CA33F2731552F2538B517424E72466E62A94E4834C06F9C39E4B41212423B104C9F525F9392984AD090E70B352C84DAC54485448CEC94CCD2B5128CF2CC9C82F2D51484C49294A2D2E56284ECD4B51C80507587E91426649B18287AB8FBF425E626EAA8E4279466672062820F2F2154A8B139372521552F2731333F3400ECACBCF837A1466567E1AD817509B328B1540210D0E7D2E2E176F4F5FB077158A33D3F35253C02AA1210432CD2F3F293FA5D24A21B3041C5E79F90A201DBAC199E9798925A545A90AE0A0D3E3E20A4A2D2ECD01857D4A6E6251B22D3CD2C05AD16357071C932545959979E90A89E98999790AE5993939608765A4E614E871718583C235B35821253F2F954B41C1B304E45F58C4EB28A4E517299464648202AAA82CB548213F2FA752213FA938B5A82CB5584FC1133D5D5871292880222B1516E099C50A90B83235355030D533D7335470058777516A566A72492AA15854D090D784BAB2245F21259F4B414157212423151C73A9450AB9A5C5250AE5459925A90AF979A948C90C1CD50A890A6589399929B0F8D653702C06857166B18E426A596A51A5425A664E496A113425672496A582D25D7A696A7131D827E0049A090E14504AD4E3E272F10B56282C4D2D2EC9CCCF2BB65230E00200');
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
INSERT INTO "tally" VALUES(20605,1,1,37);
CREATE TABLE tally_journal (
    id      INTEGER PRIMARY KEY,
    day     INTEGER NOT NULL,
    entries BLOB    NOT NULL
) STRICT;
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
INSERT INTO "trace" VALUES(2,X'5818D8AF59A429295E982CA202F3AB6B',20778,879,X'85924F6B1B3114C4EFFA121D724AC059D282296C29C5C40935ADD392147A96576F77954AEFB9FAE365BF7D91E20437971C7598A799F9CD565B873E88876664FEC33231744EA304749A59127684C76C0632D8CD586F57F7D738DF53F01482840B6836B011BAEB689FC87C826578318433E25E424767B04901936467CAB1407D8E641A75AD73A4166924788A510F8451477CC06DF1D35B7226364AADAA9B16D3281E4628FEA7E89CB61E49CAE592E38B027E8D3A9DB84FE2CCDBDF3CFCBC6DE1F50C8DCE59E284C9A65172823626508C88C406BE16260136457CBDF9FE03AC3D2D308DB61B4B112CC851EF1CC188D7968B21163E067DBE257D7D1E7FAAB284DABE52EB6F9B6D8D8B680726736ABD5CBB939D98B9854D35080B8AE2F2C10EAC530EF494A951EA9E6276A57BE375E83EBF40ABD2D7741795640AB3E5017AD0963159E7AAB191DCBE51EA77E9D546186152C0269D825FD456D2684B51E14001C26E86ECEA2B36D8BCDE45AB8002EBB4862756CBE51596CDC7E63D6E6ADF811EA94BF416459CBFBB38BA4C02230AB8ACF70B390AF039264CC12682309D282B6A681CB4B3E6995183552C45D9B8001D28CCE8AD4B148E4B1EF5A14C0B43A6186B923AD02AA84B6C945ADF3DE06FA698AC706C71A5FE01');
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
