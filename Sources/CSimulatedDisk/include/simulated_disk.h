#ifndef ETCLITE_SIMULATED_DISK_H
#define ETCLITE_SIMULATED_DISK_H

#include <stdint.h>

/* A disk in memory that can lose what was not synced, for the simulator and tests only.
 *
 * Paths below "/sim/" belong to it, everything else goes to the system. "/sim/<volume>/..." is the disk of one machine: it crashes, fills
 * and rots on its own. A file has the contents that its process sees and those that are durable; between them lies the list of
 * writes since the last sync. Names have such a list too (a created, renamed or removed file), kept in order as a journalling
 * file system keeps them.
 *
 * Each thread uses one disk at a time. Nothing here reads a clock or draws from the system: the same calls give the same disk. */

typedef struct etclite_disk etclite_disk;

/* Registers the VFS as SQLite's default. To be called before any other VFS is stacked on the default one. Returns a SQLite code. */
int etclite_disk_register(void);

etclite_disk *etclite_disk_make(uint64_t seed);
/* Every connection to it must be closed. */
void etclite_disk_free(etclite_disk *disk);
/* From now on "/sim/" is this disk for the calling thread, and SQLite's randomness begins anew from its seed. NULL: none. */
void etclite_disk_use(etclite_disk *disk);
/* What SQLite's 'now' is, milliseconds since 1970. */
void etclite_disk_set_time(int64_t milliseconds);

/* --- Machines: `volume` is "/sim/<name>" without a slash at the end. --- */

enum etclite_disk_keep {
    ETCLITE_DISK_KEEP_NOTHING = 0,
    ETCLITE_DISK_KEEP_PREFIX = 1,
    ETCLITE_DISK_KEEP_SUBSET = 2,
    ETCLITE_DISK_KEEP_ALL = 3,
};

/* The process dies: its open files can do nothing any more, their locks and shared memory are gone. Nothing is lost. */
void etclite_disk_kill(const char *volume);
/* The machine loses power: the same, and of each file's un-synced writes only some are kept; the last of them may be torn at a boundary
 * of 512 bytes. `keep` says how many; below 0: drawn for each file. */
void etclite_disk_crash(const char *volume, uint64_t seed, int keep);
/* The machine loses power in the middle of the `count`-th write, sync or truncation from now; 0 takes it back. */
void etclite_disk_crash_after(const char *volume, uint64_t count, uint64_t seed, int keep);
/* True once that has happened; asking resets it. */
int etclite_disk_has_crashed(const char *volume);

enum etclite_disk_call { ETCLITE_DISK_READ = 1, ETCLITE_DISK_WRITE = 2, ETCLITE_DISK_SYNC = 4 };

/* The `count`-th of these calls (a mask) fails with a SQLite code such as SQLITE_IOERR_WRITE; 0 takes it back. */
void etclite_disk_fail_after(const char *volume, int calls, uint64_t count, int code);
/* True once that has happened; asking resets it. */
int etclite_disk_has_failed(const char *volume);
/* While on, no file can grow: SQLITE_FULL. What was written before can be written over. */
void etclite_disk_set_full(const char *volume, int is_full);

/* The whole disk as it would be after a crash that keeps everything, to be put back later. */
typedef struct etclite_disk_image etclite_disk_image;
etclite_disk_image *etclite_disk_save(const char *volume);
void etclite_disk_restore(const char *volume, const etclite_disk_image *image);
void etclite_disk_image_free(etclite_disk_image *image);
/* A new, empty disk. */
void etclite_disk_wipe(const char *volume);

/* Writes, syncs and truncations so far. */
uint64_t etclite_disk_calls(const char *volume);

/* --- Files. --- */

/* 0: nothing there; 1: a file; 2: a directory. */
int etclite_disk_kind(const char *path);
/* -1: no such file. */
int64_t etclite_disk_size(const char *path);
/* Bytes read, less at the end of the file; -1: no such file. */
int64_t etclite_disk_read(const char *path, int64_t offset, void *buffer, int64_t count);
/* Appends, and makes the file when it is missing. 0, or a SQLite code. */
int etclite_disk_append(const char *path, const void *bytes, int64_t count);
/* 0, or -1 when it is missing. */
int etclite_disk_remove(const char *path);
int etclite_disk_rename(const char *old_path, const char *new_path);
/* Of a file, or of a directory's names. 0, or a SQLite code. */
int etclite_disk_sync(const char *path);
void etclite_disk_make_directory(const char *path);
/* The name, without the directory, of the `number`-th file in it, in order; NULL behind the last. Valid until the next call. */
const char *etclite_disk_name_in(const char *directory, int number);
/* Turns a bit of the durable contents around. 0, or -1 when the file is not that long. */
int etclite_disk_flip(const char *path, int64_t offset, int bit);

#endif
