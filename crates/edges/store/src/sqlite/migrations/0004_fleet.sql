-- Version 4: what waits to be handed over to the fleet, and what was handed over to us.
--
-- * An entry is what one batch recorded. It goes by the id of the host and its numbers, first to number: one
--   number, unless the counts of several entries were folded together for want of room. No number is given out
--   twice under one id.
-- * Its observations and its traces stand in tables of their own, so that they can go before its counts do.
--   Where they are gone, the entry still says how many there were.
-- * What is compressed is as it travels: how long it is, as a LEB128 number, and raw deflate.

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

CREATE TABLE spool_observations (
    id     INTEGER PRIMARY KEY,
    octets BLOB    NOT NULL
) STRICT;

CREATE TABLE spool_traces (
    id     INTEGER PRIMARY KEY,
    octets BLOB    NOT NULL
) STRICT;

-- One row, with the id under which entries are numbered now, and sums.
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
INSERT INTO spool_host VALUES (1, NULL, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);

-- Hosts that have handed over entries, and what they said last.
CREATE TABLE host (
    id              BLOB    NOT NULL PRIMARY KEY,
    name            TEXT    NOT NULL,
    through         INTEGER NOT NULL,       -- all entries to this one are here
    seen_ms         INTEGER NOT NULL,
    clock_offset_ms INTEGER NOT NULL,       -- by how much its clock is ahead of ours
    caught_up_ms    INTEGER NOT NULL,       -- by its clock: all that it recorded before is here
    pending         INTEGER NOT NULL        -- messages that wait there
) STRICT, WITHOUT ROWID;

-- Entries beyond those, from first to last: they came before others did.
CREATE TABLE batch (
    host  BLOB    NOT NULL,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    PRIMARY KEY (host, first)
) STRICT, WITHOUT ROWID;

-- Who does what only one is to do.
CREATE TABLE lease (
    name     TEXT    NOT NULL PRIMARY KEY,
    owner    TEXT    NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
