/* The whole disk, the knobs, and files as programs without SQLite see them. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "internal.h"

/* Memory that is given back to the system is asked for again at once, and comes zeroed page by page: a fifth of a simulation's time. */
static void keep_memory(void) {
#ifdef __GLIBC__
    /* The largest that glibc takes: half of an arena. */
    mallopt(M_MMAP_THRESHOLD, 1 << 25);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

etclite_disk *etclite_disk_make(uint64_t seed) {
    static pthread_once_t kept = PTHREAD_ONCE_INIT;
    pthread_once(&kept, keep_memory);
    etclite_disk *disk = etclite_must(calloc(1, sizeof *disk));
    disk->seed = disk->random = seed;
    return disk;
}

void etclite_disk_use(etclite_disk *disk) {
    etclite_current_disk = disk;
    if (disk == NULL) return;
    /* SQLite has one generator for the process, which is seeded through the VFS when it is asked next. */
    disk->random = disk->seed;
    sqlite3_randomness(0, NULL);
}

void etclite_disk_free(etclite_disk *disk) {
    etclite_disk *used = etclite_current_disk;
    etclite_current_disk = disk;
    for (int i = 0; i < disk->count; i++) etclite_disk_wipe(disk->volumes[i]->name);
    for (int i = 0; i < disk->count; i++) {
        volume *volume = disk->volumes[i];
        for (int made = 0; made < volume->made_count; made++) free(volume->made[made]);
        free(volume->made);
        free(volume->changes);
        free(volume->name);
        free(volume);
    }
    free(disk->volumes);
    free(disk);
    etclite_current_disk = used == disk ? NULL : used;
}

void etclite_disk_set_time(int64_t milliseconds) {
    if (etclite_current_disk != NULL) etclite_current_disk->milliseconds = milliseconds;
}

void etclite_disk_fail_after(const char *name, int calls, uint64_t count, int code) {
    volume *volume = etclite_volume_of(name);
    volume->fail_calls = calls;
    volume->fail_after = count;
    volume->fail_code = code;
}

int etclite_disk_has_failed(const char *name) {
    volume *volume = etclite_volume_of(name);
    int result = volume->has_failed;
    volume->has_failed = 0;
    return result;
}

void etclite_disk_set_full(const char *name, int is_full) { etclite_volume_of(name)->is_full = is_full; }

uint64_t etclite_disk_calls(const char *name) { return etclite_volume_of(name)->calls; }

/* --- Files --- */

static inode *file_at(const char *path) { return etclite_disk_owns(path) ? etclite_find(etclite_volume_of(path), path) : NULL; }

static int is_below(const char *path, const char *directory) {
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

int etclite_disk_kind(const char *path) {
    if (!etclite_disk_owns(path)) return 0;
    if (file_at(path) != NULL) return 1;
    volume *volume = etclite_volume_of(path);
    for (int i = 0; i < volume->seen.count; i++)
        if (is_below(volume->seen.entries[i].name, path)) return 2;
    for (int i = 0; i < volume->made_count; i++)
        if (strcmp(volume->made[i], path) == 0 || is_below(volume->made[i], path)) return 2;
    return 0;
}

int64_t etclite_disk_size(const char *path) {
    inode *node = file_at(path);
    return node == NULL ? -1 : node->seen.size;
}

int64_t etclite_disk_read(const char *path, int64_t offset, void *buffer, int64_t count) {
    inode *node = file_at(path);
    if (node == NULL) return -1;
    int64_t there = node->seen.size - offset;
    if (there > count) there = count;
    if (there <= 0) return 0;
    memcpy(buffer, node->seen.bytes + offset, (size_t)there);
    return there;
}

int etclite_disk_append(const char *path, const void *bytes, int64_t count) {
    volume *volume = etclite_volume_of(path);
    inode *node = etclite_find(volume, path);
    if (node == NULL) node = etclite_make_file(volume, path);
    return count == 0 ? SQLITE_OK : etclite_write(volume, node, bytes, count, node->seen.size);
}

int etclite_disk_remove(const char *path) {
    if (file_at(path) == NULL) return -1;
    etclite_change_name(etclite_volume_of(path), path, NULL, 0);
    return 0;
}

int etclite_disk_rename(const char *old_path, const char *new_path) {
    inode *node = file_at(old_path);
    if (node == NULL) return -1;
    volume *volume = etclite_volume_of(old_path);
    etclite_change_name(volume, new_path, node, 1);
    etclite_change_name(volume, old_path, NULL, 0);
    return 0;
}

int etclite_disk_sync(const char *path) {
    volume *volume = etclite_volume_of(path);
    inode *node = etclite_find(volume, path);
    if (node != NULL) return etclite_sync(volume, node);
    etclite_keep_names(volume, volume->change_count);
    return SQLITE_OK;
}

void etclite_disk_make_directory(const char *path) {
    volume *volume = etclite_volume_of(path);
    for (int i = 0; i < volume->made_count; i++)
        if (strcmp(volume->made[i], path) == 0) return;
    volume->made = etclite_must(realloc(volume->made, (size_t)(volume->made_count + 1) * sizeof *volume->made));
    volume->made[volume->made_count++] = etclite_must(strdup(path));
}

const char *etclite_disk_name_in(const char *path, int number) {
    volume *volume = etclite_volume_of(path);
    for (int i = 0; i < volume->seen.count; i++) {
        const char *name = volume->seen.entries[i].name;
        if (!is_below(name, path) || strchr(name + strlen(path) + 1, '/') != NULL) continue;
        if (number-- == 0) return name + strlen(path) + 1;
    }
    return NULL;
}

int etclite_disk_flip(const char *path, int64_t offset, int bit) {
    inode *node = file_at(path);
    if (node == NULL || offset >= node->durable.size || offset >= node->seen.size) return -1;
    node->durable.bytes[offset] ^= (unsigned char)(1 << (bit & 7));
    node->seen.bytes[offset] ^= (unsigned char)(1 << (bit & 7));
    return 0;
}
