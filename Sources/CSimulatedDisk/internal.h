#ifndef ETCLITE_SIMULATED_DISK_INTERNAL_H
#define ETCLITE_SIMULATED_DISK_INTERNAL_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "simulated_disk.h"

typedef struct {
    unsigned char *bytes;
    int64_t size, room;
} contents;

/* One write or truncation (bytes == NULL) that is not durable yet. */
typedef struct {
    int64_t offset, count;
    unsigned char *bytes;
} change;

/* Shared memory of a database in WAL mode, and the locks on it. */
typedef struct {
    int references, regions, region_bytes;
    void **memory;
    int readers[SQLITE_SHM_NLOCK];
    int writer[SQLITE_SHM_NLOCK];
} shared_memory;

typedef struct {
    int references;
    contents seen, durable;
    change *changes;
    int change_count, change_room;
    /* SQLite's five lock levels: who reads, and whether somebody holds more. */
    int readers, reserved, pending, exclusive;
    shared_memory *shared;
} inode;

typedef struct {
    char *name;
    inode *node;
} entry;

typedef struct {
    entry *entries;
    int count, room;
} directory;

/* A change of a name: `node` is there now; NULL: nothing is. A rename is two of them that stay together. */
typedef struct {
    char *name;
    inode *node;
    int joined; /* with the next one */
} name_change;

typedef struct {
    char *name;
    directory seen, durable;
    name_change *changes;
    int change_count, change_room;
    char **made;
    int made_count;
    /* Differs from that of a handle when the process that opened it is dead. */
    uint64_t life;
    uint64_t calls;
    uint64_t crash_after, crash_seed;
    int crash_keep, has_crashed;
    uint64_t fail_after;
    int fail_calls, fail_code, has_failed, is_full;
} volume;

struct etclite_disk {
    uint64_t seed, random;
    int64_t milliseconds;
    volume **volumes;
    int count;
};

/* SQLite's file object for a path below /sim/. */
typedef struct {
    sqlite3_file base;
    volume *volume;
    inode *node;
    uint64_t life;
    int lock;
    char *remove_on_close;
    shared_memory *shared;
    uint16_t shared_locks, exclusive_locks;
} handle;

extern _Thread_local etclite_disk *etclite_current_disk;

uint64_t etclite_disk_random(uint64_t *state);
int etclite_disk_owns(const char *path);
volume *etclite_volume_of(const char *path);
inode *etclite_find(volume *volume, const char *path);
inode *etclite_make_file(volume *volume, const char *path);
void etclite_release(inode *node);
int etclite_write(volume *volume, inode *node, const void *bytes, int64_t count, int64_t offset);
int etclite_truncate(volume *volume, inode *node, int64_t size);
int etclite_sync(volume *volume, inode *node);
/* SQLITE_OK, unless a call of this kind is to fail now. */
int etclite_fault(volume *volume, int call);
void etclite_drop_shared(shared_memory *shared);
void *etclite_must(void *memory);
void etclite_put(contents *contents, const change *change);
void etclite_forget_changes(inode *node);
/* Makes `name` mean `node`, or nothing. */
void etclite_bind_name(directory *list, const char *name, inode *node);
void etclite_change_name(volume *volume, const char *name, inode *node, int joined);
/* The first `count` changes of names become durable, and are off the list. */
void etclite_keep_names(volume *volume, int count);

#endif
