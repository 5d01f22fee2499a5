-- tree.db: a long value is stored once, in a row of its own whose key is the index of the change it came with; the node and the events
-- that speak of it name that index. So `nodes` and `events` stay dense, and new values go to the end of their table: in a table without
-- rowid, a value of 1 KB took a page for itself and its row a third of another, and every event copied it once or twice.
--
-- Rows of before keep their values until they change. Short values stand in the rows themselves.

ALTER TABLE nodes ADD COLUMN value_index INTEGER;            -- not NULL: `value` is empty, the value is in change_values
ALTER TABLE events ADD COLUMN value_index INTEGER;           -- the same
ALTER TABLE events ADD COLUMN previous_value_index INTEGER;  -- the same for previous_value

-- A row goes with the last node or event that names it.
CREATE TABLE change_values(
    "index" INTEGER PRIMARY KEY,   -- v2 index of the change
    value   TEXT NOT NULL
) STRICT;

-- Of those, the ones that only the event of their own change still names: the node went with its directory.
CREATE TABLE past_values("index" INTEGER PRIMARY KEY) STRICT;

DROP VIEW keys;

CREATE VIEW keys AS
SELECT parent || '/' || name AS path,
       CASE WHEN value_index IS NULL THEN value
           ELSE (SELECT long.value FROM change_values AS long WHERE long."index" = value_index) END AS value,
       dir,
       created,
       modified,
       CASE WHEN expiration IS NOT NULL
           THEN (expiration - CAST(strftime('%s', 'now') AS INTEGER) * 1000000000 + 999999999) / 1000000000 END AS ttl,
       CASE WHEN expiration IS NOT NULL
           THEN strftime('%Y-%m-%dT%H:%M:%S', expiration / 1000000000, 'unixepoch')
               || printf('.%09dZ', expiration % 1000000000) END AS expiration
FROM nodes;

DROP VIEW history;

CREATE VIEW history AS
SELECT "index",
       CASE action
           WHEN 1 THEN 'set' WHEN 2 THEN 'create' WHEN 3 THEN 'update' WHEN 4 THEN 'compareAndSwap'
           WHEN 5 THEN 'delete' WHEN 6 THEN 'compareAndDelete' WHEN 7 THEN 'expire' WHEN 8 THEN 'cluster'
           ELSE 'action ' || action END AS action,
       path,
       CASE WHEN value_index IS NULL THEN value
           ELSE (SELECT long.value FROM change_values AS long WHERE long."index" = value_index) END AS value,
       dir,
       CASE WHEN previous_value_index IS NULL THEN previous_value
           ELSE (SELECT long.value FROM change_values AS long WHERE long."index" = previous_value_index) END AS previous_value,
       strftime('%Y-%m-%dT%H:%M:%S', time / 1000000000, 'unixepoch')
           || printf('.%09dZ', time % 1000000000) AS time
FROM events;
