-- log.db: the chain covers the entries, identity has its own checksum; these cover the two rows that were left. A flipped bit in the
-- vote would permit a second vote in a term.

-- CRC32C over term, vote and commit.
ALTER TABLE hard_state ADD COLUMN checksum INTEGER;

-- CRC32C over "index", term and checksum.
ALTER TABLE snapshots ADD COLUMN row_checksum INTEGER;

-- Each value eight bytes, the lowest first. The rows that are there get theirs in the same transaction (RowChecksum.swift).
