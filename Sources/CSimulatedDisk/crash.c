/* How machines die and what their disks hold afterwards. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void etclite_disk_kill(const char *name) {
    volume *volume = etclite_volume_of(name);
    volume->life++;
    volume->crash_after = 0;
    for (int i = 0; i < volume->seen.count; i++) {
        inode *node = volume->seen.entries[i].node;
        node->readers = node->reserved = node->pending = node->exclusive = 0;
        /* Dead handles keep the memory for as long as they are. */
        if (node->shared != NULL) etclite_drop_shared(node->shared);
        node->shared = NULL;
    }
}

/* A write reaches the disk in sectors; which of them did is chance. */
static void put_torn(inode *node, const change *torn, uint64_t *random) {
    int64_t end = torn->offset + torn->count;
    for (int64_t from = torn->offset; from < end;) {
        int64_t next = (from / 512 + 1) * 512;
        if (next > end) next = end;
        change sector = {from, next - from, torn->bytes + (from - torn->offset)};
        if (etclite_disk_random(random) & 1) etclite_put(&node->durable, &sector);
        from = next;
    }
}

static void keep_changes(inode *node, uint64_t *random, int keep) {
    if (keep < 0) keep = (int)(etclite_disk_random(random) % 4);
    int count = node->change_count;
    int prefix = count == 0 ? 0 : (int)(etclite_disk_random(random) % (uint64_t)(count + 1));
    for (int i = 0; i < count; i++) {
        change *change = &node->changes[i];
        int is_kept = keep == ETCLITE_DISK_KEEP_ALL || (keep == ETCLITE_DISK_KEEP_PREFIX && i < prefix) ||
            (keep == ETCLITE_DISK_KEEP_SUBSET && (etclite_disk_random(random) & 1));
        int is_last = keep == ETCLITE_DISK_KEEP_PREFIX ? i == prefix - 1 : i == count - 1;
        int is_torn = keep != ETCLITE_DISK_KEEP_NOTHING && keep != ETCLITE_DISK_KEEP_ALL && is_last && change->bytes != NULL;
        if (is_torn && (etclite_disk_random(random) & 1)) {
            put_torn(node, change, random);
        } else if (is_kept) {
            etclite_put(&node->durable, change);
        }
    }
}

/* What the process saw is forgotten where it differs from what is durable: within the changes, and behind the end. */
static void see_durable(inode *node) {
    for (int i = 0; i < node->change_count; i++) {
        change *change = &node->changes[i];
        /* A truncation may have been lost: everything behind it is as it was. */
        int64_t end = change->bytes == NULL ? node->durable.size : change->offset + change->count;
        if (end > node->durable.size) end = node->durable.size;
        if (change->offset >= end) continue;
        unsigned char *lost = change->bytes;
        int64_t count = change->count;
        change->bytes = node->durable.bytes + change->offset;
        change->count = end - change->offset;
        etclite_put(&node->seen, change);
        change->bytes = lost;
        change->count = count;
    }
    etclite_forget_changes(node);
    change end = {node->durable.size, 0, NULL};
    etclite_put(&node->seen, &end);
}

static void copy_names(directory *to, const directory *from) {
    directory old = *to;
    *to = (directory){0};
    for (int i = 0; i < from->count; i++) etclite_bind_name(to, from->entries[i].name, from->entries[i].node);
    for (int i = 0; i < old.count; i++) {
        free(old.entries[i].name);
        etclite_release(old.entries[i].node);
    }
    free(old.entries);
}

void etclite_disk_crash(const char *name, uint64_t seed, int keep) {
    etclite_disk_kill(name);
    volume *volume = etclite_volume_of(name);
    uint64_t random = seed;
    int kept = (int)(etclite_disk_random(&random) % (uint64_t)(volume->change_count + 1));
    if (keep == ETCLITE_DISK_KEEP_NOTHING) kept = 0;
    if (keep == ETCLITE_DISK_KEEP_ALL) kept = volume->change_count;
    while (kept > 0 && kept < volume->change_count && volume->changes[kept - 1].joined) kept++;
    etclite_keep_names(volume, kept);
    for (int i = 0; i < volume->change_count; i++) {
        free(volume->changes[i].name);
        etclite_release(volume->changes[i].node);
    }
    volume->change_count = 0;
    copy_names(&volume->seen, &volume->durable);
    for (int i = 0; i < volume->seen.count; i++) {
        inode *node = volume->seen.entries[i].node;
        keep_changes(node, &random, keep);
        see_durable(node);
        /* A file that came back with its name was out of sight when its process died. */
        node->readers = node->reserved = node->pending = node->exclusive = 0;
        if (node->shared != NULL) etclite_drop_shared(node->shared);
        node->shared = NULL;
    }
}

void etclite_disk_crash_after(const char *name, uint64_t count, uint64_t seed, int keep) {
    volume *volume = etclite_volume_of(name);
    volume->crash_after = count;
    volume->crash_seed = seed;
    volume->crash_keep = keep;
    volume->has_crashed = 0;
}

int etclite_disk_has_crashed(const char *name) {
    volume *volume = etclite_volume_of(name);
    int result = volume->has_crashed;
    volume->has_crashed = 0;
    return result;
}

/* --- Images --- */

struct etclite_disk_image {
    int count;
    char **names;
    contents *files;
};

etclite_disk_image *etclite_disk_save(const char *name) {
    volume *volume = etclite_volume_of(name);
    etclite_disk_image *image = etclite_must(calloc(1, sizeof *image));
    image->count = volume->seen.count;
    image->names = etclite_must(calloc((size_t)image->count + 1, sizeof *image->names));
    image->files = etclite_must(calloc((size_t)image->count + 1, sizeof *image->files));
    for (int i = 0; i < image->count; i++) {
        inode *node = volume->seen.entries[i].node;
        image->names[i] = etclite_must(strdup(volume->seen.entries[i].name));
        change all = {0, node->seen.size, node->seen.bytes};
        if (node->seen.size > 0) etclite_put(&image->files[i], &all);
    }
    return image;
}

void etclite_disk_wipe(const char *name) {
    etclite_disk_crash(name, 0, ETCLITE_DISK_KEEP_NOTHING);
    volume *volume = etclite_volume_of(name);
    copy_names(&volume->seen, &(directory){0});
    copy_names(&volume->durable, &(directory){0});
}

void etclite_disk_restore(const char *name, const etclite_disk_image *image) {
    etclite_disk_wipe(name);
    volume *volume = etclite_volume_of(name);
    for (int i = 0; i < image->count; i++) {
        inode *node = etclite_make_file(volume, image->names[i]);
        change all = {0, image->files[i].size, image->files[i].bytes};
        if (all.count == 0) continue;
        etclite_put(&node->seen, &all);
        etclite_put(&node->durable, &all);
    }
    etclite_keep_names(volume, volume->change_count);
}

void etclite_disk_image_free(etclite_disk_image *image) {
    for (int i = 0; i < image->count; i++) {
        free(image->names[i]);
        free(image->files[i].bytes);
    }
    free(image->names);
    free(image->files);
    free(image);
}
