/* Machines, names and files; what a sync makes durable. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

_Thread_local etclite_disk *etclite_current_disk;

/* splitmix64 */
uint64_t etclite_disk_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* A simulation has no use for the case of too little memory. */
void *etclite_must(void *memory) {
    if (memory == NULL) abort();
    return memory;
}

static char *copy_of(const char *text) { return etclite_must(strdup(text)); }

#define GROW(list, count, room)                                            \
    do {                                                                   \
        if ((count) == (room)) {                                           \
            (room) = (room) == 0 ? 8 : (room) * 2;                         \
            (list) = etclite_must(realloc((list), (size_t)(room) * sizeof *(list))); \
        }                                                                  \
    } while (0)

int etclite_disk_owns(const char *path) {
    return etclite_current_disk != NULL && path != NULL && strncmp(path, "/sim/", 5) == 0;
}

static volume *volume_named(const char *name, size_t length) {
    etclite_disk *disk = etclite_current_disk;
    for (int i = 0; i < disk->count; i++)
        if (strlen(disk->volumes[i]->name) == length && strncmp(disk->volumes[i]->name, name, length) == 0)
            return disk->volumes[i];
    disk->volumes = etclite_must(realloc(disk->volumes, (size_t)(disk->count + 1) * sizeof *disk->volumes));
    volume *made = etclite_must(calloc(1, sizeof *made));
    made->name = etclite_must(strndup(name, length));
    made->life = 1;
    disk->volumes[disk->count++] = made;
    return made;
}

volume *etclite_volume_of(const char *path) {
    const char *end = strchr(path + 5, '/');
    return volume_named(path, end == NULL ? strlen(path) : (size_t)(end - path));
}

/* --- Names --- */

static int position_of(const directory *list, const char *name) {
    for (int i = 0; i < list->count; i++)
        if (strcmp(list->entries[i].name, name) == 0) return i;
    return -1;
}

inode *etclite_find(volume *volume, const char *path) {
    int position = position_of(&volume->seen, path);
    return position < 0 ? NULL : volume->seen.entries[position].node;
}

static inode *retain(inode *node) {
    if (node != NULL) node->references++;
    return node;
}

void etclite_drop_shared(shared_memory *shared) {
    if (--shared->references > 0) return;
    for (int i = 0; i < shared->regions; i++) free(shared->memory[i]);
    free(shared->memory);
    free(shared);
}

void etclite_forget_changes(inode *node) {
    for (int i = 0; i < node->change_count; i++) free(node->changes[i].bytes);
    node->change_count = 0;
}

void etclite_release(inode *node) {
    if (node == NULL || --node->references > 0) return;
    etclite_forget_changes(node);
    free(node->changes);
    free(node->seen.bytes);
    free(node->durable.bytes);
    if (node->shared != NULL) etclite_drop_shared(node->shared);
    free(node);
}

/* Makes `name` mean `node`, or nothing. Kept sorted, so that a listing is in order. */
void etclite_bind_name(directory *list, const char *name, inode *node) {
    int position = position_of(list, name);
    retain(node);
    if (position >= 0) {
        etclite_release(list->entries[position].node);
        list->entries[position].node = node;
        if (node != NULL) return;
        free(list->entries[position].name);
        list->count--;
        memmove(
            list->entries + position, list->entries + position + 1,
            (size_t)(list->count - position) * sizeof *list->entries);
        return;
    }
    if (node == NULL) return;
    GROW(list->entries, list->count, list->room);
    position = list->count++;
    for (; position > 0 && strcmp(list->entries[position - 1].name, name) > 0; position--)
        list->entries[position] = list->entries[position - 1];
    list->entries[position] = (entry){copy_of(name), node};
}

void etclite_change_name(volume *volume, const char *name, inode *node, int joined) {
    GROW(volume->changes, volume->change_count, volume->change_room);
    volume->changes[volume->change_count++] = (name_change){copy_of(name), retain(node), joined};
    etclite_bind_name(&volume->seen, name, node);
}

/* The first `count` changes of names become durable, and are off the list. */
void etclite_keep_names(volume *volume, int count) {
    for (int i = 0; i < count; i++) etclite_bind_name(&volume->durable, volume->changes[i].name, volume->changes[i].node);
    for (int i = 0; i < count; i++) {
        free(volume->changes[i].name);
        etclite_release(volume->changes[i].node);
    }
    volume->change_count -= count;
    memmove(volume->changes, volume->changes + count, (size_t)volume->change_count * sizeof *volume->changes);
}

inode *etclite_make_file(volume *volume, const char *path) {
    inode *node = etclite_must(calloc(1, sizeof *node));
    etclite_change_name(volume, path, node, 0);
    return node;
}

/* --- Contents --- */

static void resize(contents *contents, int64_t size) {
    if (size > contents->room) {
        int64_t room = contents->room == 0 ? 4096 : contents->room;
        while (room < size) room *= 2;
        contents->bytes = etclite_must(realloc(contents->bytes, (size_t)room));
        contents->room = room;
    }
    if (size > contents->size) memset(contents->bytes + contents->size, 0, (size_t)(size - contents->size));
    contents->size = size;
}

void etclite_put(contents *contents, const change *change) {
    if (change->bytes == NULL) {
        resize(contents, change->offset);
        return;
    }
    if (change->offset + change->count > contents->size) resize(contents, change->offset + change->count);
    memcpy(contents->bytes + change->offset, change->bytes, (size_t)change->count);
}

int etclite_fault(volume *volume, int call) {
    if (volume->fail_after == 0 || (volume->fail_calls & call) == 0 || --volume->fail_after > 0) return SQLITE_OK;
    volume->has_failed = 1;
    return volume->fail_code;
}

/* Counts a call, and lets it fail when its time has come. */
static int passes(volume *volume, int call) {
    volume->calls++;
    return etclite_fault(volume, call);
}

static int crashes(volume *volume) {
    if (volume->crash_after == 0 || --volume->crash_after > 0) return 0;
    etclite_disk_crash(volume->name, volume->crash_seed, volume->crash_keep);
    volume->has_crashed = 1;
    return 1;
}

static void note(inode *node, change change) {
    GROW(node->changes, node->change_count, node->change_room);
    node->changes[node->change_count++] = change;
    etclite_put(&node->seen, &change);
}

int etclite_write(volume *volume, inode *node, const void *bytes, int64_t count, int64_t offset) {
    int result = passes(volume, ETCLITE_DISK_WRITE);
    if (result != SQLITE_OK) return result;
    if (volume->is_full && offset + count > node->seen.size) return SQLITE_FULL;
    change change = {offset, count, etclite_must(malloc((size_t)count + 1))};
    memcpy(change.bytes, bytes, (size_t)count);
    note(node, change);
    return crashes(volume) ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

int etclite_truncate(volume *volume, inode *node, int64_t size) {
    int result = passes(volume, ETCLITE_DISK_WRITE);
    if (result != SQLITE_OK) return result;
    if (volume->is_full && size > node->seen.size) return SQLITE_FULL;
    note(node, (change){size, 0, NULL});
    return crashes(volume) ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

int etclite_sync(volume *volume, inode *node) {
    int result = passes(volume, ETCLITE_DISK_SYNC);
    if (result != SQLITE_OK) return result;
    /* Power may fail before the disk has done its part. */
    if (crashes(volume)) return SQLITE_IOERR_FSYNC;
    for (int i = 0; i < node->change_count; i++) etclite_put(&node->durable, &node->changes[i]);
    etclite_forget_changes(node);
    /* The journal is written in order up to the file's own name. */
    int last = 0;
    for (int i = 0; i < volume->change_count; i++)
        if (volume->changes[i].node == node) last = i + 1;
    while (last > 0 && last < volume->change_count && volume->changes[last - 1].joined) last++;
    etclite_keep_names(volume, last);
    return SQLITE_OK;
}
