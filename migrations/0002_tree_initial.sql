-- tree.db: what the log says, applied. A view of log.db: it may be behind, never wrong.

-- One row; changes in the transaction that changes what it speaks of.
CREATE TABLE state(
    only            INTEGER PRIMARY KEY CHECK (only = 1),
    applied_index   INTEGER NOT NULL,  -- of the log
    applied_term    INTEGER NOT NULL,
    applied_time    INTEGER NOT NULL,  -- time of that entry, nanoseconds since 1970 UTC
    keys_index      INTEGER NOT NULL,  -- the v2 index (X-Etcd-Index)
    state_hash      TEXT NOT NULL,     -- 128 bits over all rows of nodes, independent of their order
    cluster_version TEXT NOT NULL,
    history_events  INTEGER NOT NULL   -- how many events are kept
) STRICT;

-- The key tree. The root is not stored. Path = parent || '/' || name; parent is empty for the first level.
CREATE TABLE nodes(
    parent     TEXT NOT NULL,
    name       TEXT NOT NULL,
    dir        INTEGER NOT NULL,
    value      TEXT NOT NULL,
    created    INTEGER NOT NULL,
    modified   INTEGER NOT NULL,
    expiration INTEGER,                -- nanoseconds since 1970 UTC
    PRIMARY KEY (parent, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX nodes_expiration ON nodes(expiration) WHERE expiration IS NOT NULL;

-- The last events, for watches that ask for the past.
CREATE TABLE events(
    "index"           INTEGER PRIMARY KEY,  -- the v2 index of the change
    action            INTEGER NOT NULL,
    path              TEXT NOT NULL,
    dir               INTEGER NOT NULL,
    value             TEXT NOT NULL,
    created           INTEGER NOT NULL,
    expiration        INTEGER,
    previous_dir      INTEGER,              -- NULL: there was no node before
    previous_value    TEXT,
    previous_created  INTEGER,
    previous_modified INTEGER,
    previous_expiration INTEGER,
    time              INTEGER NOT NULL,
    refresh           INTEGER NOT NULL
) STRICT;

CREATE TABLE members(
    id          TEXT PRIMARY KEY,           -- 64 bits, hexadecimal
    name        TEXT NOT NULL,              -- empty: not started yet
    peer_urls   TEXT NOT NULL,              -- joined by commas
    client_urls TEXT NOT NULL,
    learner     INTEGER NOT NULL,
    removed     INTEGER NOT NULL            -- 1: was a member once; its id never comes back
) STRICT;

-- What a plain shell should read: sqlite3 member/tree.db "select * from keys"
CREATE VIEW keys AS
SELECT parent || '/' || name AS path,
       value,
       dir,
       created,
       modified,
       CASE WHEN expiration IS NOT NULL
           THEN (expiration - CAST(strftime('%s', 'now') AS INTEGER) * 1000000000 + 999999999) / 1000000000 END AS ttl,
       CASE WHEN expiration IS NOT NULL
           THEN strftime('%Y-%m-%dT%H:%M:%S', expiration / 1000000000, 'unixepoch')
               || printf('.%09dZ', expiration % 1000000000) END AS expiration
FROM nodes;

CREATE VIEW history AS
SELECT "index",
       CASE action
           WHEN 1 THEN 'set' WHEN 2 THEN 'create' WHEN 3 THEN 'update' WHEN 4 THEN 'compareAndSwap'
           WHEN 5 THEN 'delete' WHEN 6 THEN 'compareAndDelete' WHEN 7 THEN 'expire' WHEN 8 THEN 'cluster'
           ELSE 'action ' || action END AS action,
       path,
       value,
       dir,
       previous_value,
       strftime('%Y-%m-%dT%H:%M:%S', time / 1000000000, 'unixepoch')
           || printf('.%09dZ', time % 1000000000) AS time
FROM events;
