#ifndef ETCLITE_PAGE_CHECKSUM_H
#define ETCLITE_PAGE_CHECKSUM_H

/* A SQLite VFS named "etclite": the default one (the system's own, or a simulated one that was made the default before), with a
 * checksum in the last 8 bytes of every page of a database file.
 *
 * SQLite checks the structure of a page, not what is in it; a bit that flipped on the disk in a value, or in a key by which
 * the tree is searched, would be served as it is. A database that was made with 8 reserved bytes a page
 * (SQLITE_FCNTL_RESERVE_BYTES) gets a checksum whenever a page is written to its main file, and each page that is read from there is
 * compared: SQLITE_IOERR_DATA when it differs. Other databases, WAL files and journals pass through unchanged (frames
 * of a WAL have checksums of their own), but that a frame's header and its page are written together: two writes cost nearly twice as
 * much as one. Programs that do not know this VFS read the file as usual: the bytes are reserved. */

/* Registers the VFS; more than once does no harm. Returns a SQLite result code. */
int etclite_page_checksum_register(void);

/* Writes the checksums of a file that nobody has open: VACUUM INTO may write other pages before the first one, from which this VFS
 * learns that there are checksums. Returns 0, or -1 with errno set. */
int etclite_page_checksum_stamp(const char *path);

/* The page, counted from 1, whose checksum was wrong in the last read that failed on this thread; 0 when there was none. */
unsigned int etclite_page_checksum_damaged_page(void);

/* While on (not 0), wrong checksums are let pass on this thread: for a file that a program without this VFS has written to,
 * until its contents are proven in another way and its pages are written anew. A file that is opened meanwhile stays tolerated
 * until it is closed. */
void etclite_page_checksum_tolerate(int on);

#endif
