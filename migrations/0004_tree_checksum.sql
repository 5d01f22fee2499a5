-- tree.db: state_hash speaks of the nodes alone. This one speaks of everything else that an entry's effect depends on, so that
-- rows of different moments are found when damage has brought them together.
--
-- CRC32C over the rows of members in the order of their ids, then over this row up to cluster_version, then over the first and
-- the last index in events; each value as text with a zero byte behind it. NULL: not written since the column is there.
ALTER TABLE state ADD COLUMN checksum INTEGER;
