-- log.db: a peer's snapshot that is taking the place of tree.db. One row from the moment the log was reset behind the
-- snapshot until the tree file has been swapped; whoever finds it at a start finishes the swap.
CREATE TABLE install(
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    "index"    INTEGER NOT NULL,   -- the snapshot's place in the log
    term       INTEGER NOT NULL,
    state_hash TEXT NOT NULL,      -- of the tree that is to be in place
    created    TEXT NOT NULL       -- UTC
) STRICT;

-- A start wants to know every change of the membership in the log, however long that is. Other rows are not in it, and cost nothing.
CREATE INDEX log_membership ON log("index") WHERE kind = 2;
