-- log.db: the Raft log and what a member must never forget. Every commit of this file is fsynced.

CREATE TABLE identity(
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    member_id  TEXT NOT NULL,      -- 64 bits, lower-case hexadecimal without leading zeros, as etcd prints it
    cluster_id TEXT NOT NULL,
    created    TEXT NOT NULL,      -- UTC
    origin     TEXT NOT NULL,      -- how this directory came to be: new cluster, restored from …
    checksum   INTEGER NOT NULL    -- CRC32C over member_id, cluster_id and origin, a zero byte behind each
) STRICT;

-- Raft's persistent state (thesis figure 3.1). The commit index may lag: it is a lower bound.
CREATE TABLE hard_state(
    only           INTEGER PRIMARY KEY CHECK (only = 1),
    term           INTEGER NOT NULL,
    vote           TEXT NOT NULL,  -- a member id, or empty
    "commit"       INTEGER NOT NULL
) STRICT;

-- The log. A row is readable as it stands; `options` holds what has no column of its own.
CREATE TABLE log(
    "index"   INTEGER PRIMARY KEY,
    term      INTEGER NOT NULL,
    kind      INTEGER NOT NULL,    -- 0 empty, 1 keys (v2), 2 membership
    version   INTEGER NOT NULL,    -- of the payload's format
    operation INTEGER NOT NULL,
    path      TEXT NOT NULL,
    value     TEXT NOT NULL,
    options   BLOB NOT NULL,
    time      INTEGER NOT NULL,    -- the proposer's wall clock, nanoseconds since 1970 UTC
    client    TEXT NOT NULL,       -- address of the client that asked for it
    request   INTEGER NOT NULL,    -- the proposer's number for it
    checksum  INTEGER NOT NULL     -- CRC32C over this row, seeded with the checksum of the row before
) STRICT;

-- Where the log was cut, newest last: what a row of this index carried is in the tree.
CREATE TABLE snapshots(
    "index"  INTEGER PRIMARY KEY,
    term     INTEGER NOT NULL,
    checksum INTEGER NOT NULL,     -- the chain goes on from here
    created  TEXT NOT NULL
) STRICT;

-- What a plain shell should read: sqlite3 member/log.db "select * from entries"
CREATE VIEW entries AS
SELECT "index",
       term,
       CASE kind WHEN 0 THEN 'empty' WHEN 1 THEN 'keys' WHEN 2 THEN 'membership' ELSE 'kind ' || kind END AS kind,
       CASE kind
           WHEN 1 THEN CASE operation
               WHEN 1 THEN 'set' WHEN 2 THEN 'create' WHEN 3 THEN 'createInOrder' WHEN 4 THEN 'update'
               WHEN 5 THEN 'compareAndSwap' WHEN 6 THEN 'delete' WHEN 7 THEN 'compareAndDelete' WHEN 8 THEN 'expire'
               ELSE 'operation ' || operation END
           WHEN 2 THEN CASE operation
               WHEN 1 THEN 'addMember' WHEN 2 THEN 'removeMember' WHEN 3 THEN 'updateMember' WHEN 4 THEN 'publish'
               WHEN 5 THEN 'clusterVersion' ELSE 'operation ' || operation END
           ELSE '' END AS operation,
       path,
       value,
       strftime('%Y-%m-%dT%H:%M:%S', time / 1000000000, 'unixepoch')
           || printf('.%09dZ', time % 1000000000) AS time,
       client
FROM log;
