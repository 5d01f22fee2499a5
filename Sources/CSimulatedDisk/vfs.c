/* SQLite's view of the disk: file methods, locks, shared memory, and a VFS that leaves other paths to the system. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static sqlite3_vfs *system_vfs;
static sqlite3_vfs simulated_vfs;
static pthread_once_t registered = PTHREAD_ONCE_INIT;
static int registration_result;

static int is_dead(const handle *file) { return file->life != file->volume->life; }

static void unlock_to(handle *file, int level);
static int shm_unmap(sqlite3_file *base, int remove);

static int file_close(sqlite3_file *base) {
    handle *file = (handle *)base;
    if (!is_dead(file)) unlock_to(file, SQLITE_LOCK_NONE);
    if (file->shared != NULL) shm_unmap(base, 0);
    if (file->remove_on_close != NULL) {
        if (!is_dead(file)) etclite_disk_remove(file->remove_on_close);
        free(file->remove_on_close);
    }
    etclite_release(file->node);
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *buffer, int amount, sqlite3_int64 offset) {
    handle *file = (handle *)base;
    if (is_dead(file)) return SQLITE_IOERR_READ;
    int result = etclite_fault(file->volume, ETCLITE_DISK_READ);
    if (result != SQLITE_OK) return result;
    const contents *seen = &file->node->seen;
    int64_t there = seen->size - offset;
    if (there >= amount) {
        memcpy(buffer, seen->bytes + offset, (size_t)amount);
        return SQLITE_OK;
    }
    if (there < 0) there = 0;
    if (there > 0) memcpy(buffer, seen->bytes + offset, (size_t)there);
    memset((char *)buffer + there, 0, (size_t)(amount - there));
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *buffer, int amount, sqlite3_int64 offset) {
    handle *file = (handle *)base;
    return is_dead(file) ? SQLITE_IOERR_WRITE : etclite_write(file->volume, file->node, buffer, amount, offset);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
    handle *file = (handle *)base;
    return is_dead(file) ? SQLITE_IOERR_TRUNCATE : etclite_truncate(file->volume, file->node, size);
}

static int file_sync(sqlite3_file *base, int flags) {
    (void)flags;
    handle *file = (handle *)base;
    return is_dead(file) ? SQLITE_IOERR_FSYNC : etclite_sync(file->volume, file->node);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
    handle *file = (handle *)base;
    if (is_dead(file)) return SQLITE_IOERR_FSTAT;
    *size = file->node->seen.size;
    return SQLITE_OK;
}

/* sqlite.org/lockingv3.html: many read; one may reserve, then wait for the readers, then be alone. */
static int file_lock(sqlite3_file *base, int level) {
    handle *file = (handle *)base;
    inode *node = file->node;
    if (is_dead(file)) return SQLITE_IOERR_LOCK;
    if (level <= file->lock) return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
        if (node->pending || node->exclusive) return SQLITE_BUSY;
        node->readers++;
        file->lock = level;
        return SQLITE_OK;
    }
    if (file->lock < SQLITE_LOCK_RESERVED) {
        if (node->reserved || node->pending) return SQLITE_BUSY;
        node->reserved = 1;
        file->lock = SQLITE_LOCK_RESERVED;
    }
    if (level == SQLITE_LOCK_RESERVED) return SQLITE_OK;
    node->pending = 1;
    file->lock = SQLITE_LOCK_PENDING;
    if (level == SQLITE_LOCK_PENDING) return SQLITE_OK;
    if (node->readers > 1) return SQLITE_BUSY;
    node->exclusive = 1;
    file->lock = SQLITE_LOCK_EXCLUSIVE;
    return SQLITE_OK;
}

static void unlock_to(handle *file, int level) {
    inode *node = file->node;
    if (file->lock <= level) return;
    if (file->lock >= SQLITE_LOCK_EXCLUSIVE) node->exclusive = 0;
    if (file->lock >= SQLITE_LOCK_PENDING) node->pending = 0;
    if (file->lock >= SQLITE_LOCK_RESERVED) node->reserved = 0;
    if (level == SQLITE_LOCK_NONE) node->readers--;
    file->lock = level;
}

static int file_unlock(sqlite3_file *base, int level) {
    handle *file = (handle *)base;
    if (!is_dead(file)) unlock_to(file, level);
    return SQLITE_OK;
}

static int file_is_locked(sqlite3_file *base, int *result) {
    handle *file = (handle *)base;
    *result = file->node->reserved || file->node->pending || file->node->exclusive;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int operation, void *argument) {
    (void)base;
    switch (operation) {
    case SQLITE_FCNTL_PERSIST_WAL:
        /* Each handle remembers it on a real system; here every WAL stays. */
        if (*(int *)argument < 0) *(int *)argument = 1;
        return SQLITE_OK;
    case SQLITE_FCNTL_POWERSAFE_OVERWRITE:
        if (*(int *)argument < 0) *(int *)argument = 1;
        return SQLITE_OK;
    default: return SQLITE_NOTFOUND;
    }
}

static int file_sector(sqlite3_file *base) {
    (void)base;
    return 4096;
}

/* As the system's VFS: a torn write leaves the bytes beside it alone. */
static int file_characteristics(sqlite3_file *base) {
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* --- Shared memory (sqlite.org/walformat.html#the_wal_index_file_format) --- */

static int shm_map(sqlite3_file *base, int region, int bytes, int extend, void volatile **memory) {
    handle *file = (handle *)base;
    *memory = NULL;
    if (is_dead(file)) return SQLITE_IOERR_SHMMAP;
    if (file->shared == NULL) {
        if (file->node->shared == NULL) {
            file->node->shared = etclite_must(calloc(1, sizeof(shared_memory)));
            file->node->shared->references = 1;
        }
        file->shared = file->node->shared;
        file->shared->references++;
    }
    shared_memory *shared = file->shared;
    while (shared->regions <= region) {
        if (!extend) return SQLITE_OK;
        shared->memory = etclite_must(realloc(shared->memory, (size_t)(shared->regions + 1) * sizeof *shared->memory));
        shared->memory[shared->regions++] = etclite_must(calloc(1, (size_t)bytes));
    }
    *memory = shared->memory[region];
    return SQLITE_OK;
}

static int shm_lock(sqlite3_file *base, int offset, int count, int flags) {
    handle *file = (handle *)base;
    if (is_dead(file)) return SQLITE_IOERR_SHMLOCK;
    shared_memory *shared = file->shared;
    if (shared == NULL) return SQLITE_IOERR_SHMLOCK;
    uint16_t mask = (uint16_t)(((1u << count) - 1) << offset);
    if (flags & SQLITE_SHM_UNLOCK) {
        for (int slot = offset; slot < offset + count; slot++) {
            if (file->shared_locks >> slot & 1) shared->readers[slot]--;
            if (file->exclusive_locks >> slot & 1) shared->writer[slot] = 0;
        }
        file->shared_locks &= (uint16_t)~mask;
        file->exclusive_locks &= (uint16_t)~mask;
        return SQLITE_OK;
    }
    int is_shared = (flags & SQLITE_SHM_SHARED) != 0;
    for (int slot = offset; slot < offset + count; slot++) {
        int is_mine = file->shared_locks >> slot & 1;
        if (shared->writer[slot] && !(file->exclusive_locks >> slot & 1)) return SQLITE_BUSY;
        if (!is_shared && shared->readers[slot] > is_mine) return SQLITE_BUSY;
    }
    for (int slot = offset; slot < offset + count; slot++) {
        if (is_shared) {
            if (!(file->shared_locks >> slot & 1)) shared->readers[slot]++;
            file->shared_locks |= (uint16_t)(1u << slot);
        } else {
            shared->writer[slot] = 1;
            file->exclusive_locks |= (uint16_t)(1u << slot);
        }
    }
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base) { (void)base; }

static int shm_unmap(sqlite3_file *base, int remove) {
    handle *file = (handle *)base;
    if (file->shared == NULL) return SQLITE_OK;
    if (!is_dead(file)) shm_lock(base, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    shared_memory *shared = file->shared;
    file->shared = NULL;
    (void)remove;
    /* The last one to go takes it along, so that the next one recovers from the WAL, as after the last close of a process. */
    if (file->node->shared == shared && shared->references == 2) {
        file->node->shared = NULL;
        etclite_drop_shared(shared);
    }
    etclite_drop_shared(shared);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_is_locked,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* --- The VFS --- */

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out) {
    (void)vfs;
    if (!etclite_disk_owns(name)) return system_vfs->xOpen(system_vfs, name, base, flags, out);
    handle *file = (handle *)base;
    memset(file, 0, sizeof *file);
    volume *volume = etclite_volume_of(name);
    inode *node = etclite_find(volume, name);
    if (node != NULL && (flags & SQLITE_OPEN_EXCLUSIVE) != 0) return SQLITE_CANTOPEN;
    if (node == NULL) {
        if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
        node = etclite_make_file(volume, name);
    }
    node->references++;
    file->node = node;
    file->volume = volume;
    file->life = volume->life;
    if (flags & SQLITE_OPEN_DELETEONCLOSE) file->remove_on_close = etclite_must(strdup(name));
    file->base.pMethods = &methods;
    if (out != NULL) *out = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory) {
    (void)vfs;
    if (!etclite_disk_owns(name)) return system_vfs->xDelete(system_vfs, name, sync_directory);
    if (etclite_disk_remove(name) != 0) return SQLITE_IOERR_DELETE_NOENT;
    if (sync_directory) etclite_keep_names(etclite_volume_of(name), etclite_volume_of(name)->change_count);
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result) {
    (void)vfs;
    if (!etclite_disk_owns(name)) return system_vfs->xAccess(system_vfs, name, flags, result);
    *result = etclite_disk_kind(name) != 0;
    /* As the system's VFS: an empty journal is none. */
    if (flags == SQLITE_ACCESS_EXISTS && etclite_disk_size(name) == 0) *result = 0;
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int bytes, char *out) {
    (void)vfs;
    if (!etclite_disk_owns(name)) return system_vfs->xFullPathname(system_vfs, name, bytes, out);
    sqlite3_snprintf(bytes, out, "%s", name);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int bytes, char *out) {
    (void)vfs;
    if (etclite_current_disk == NULL) return system_vfs->xRandomness(system_vfs, bytes, out);
    for (int i = 0; i < bytes; i++) out[i] = (char)etclite_disk_random(&etclite_current_disk->random);
    return bytes;
}

/* Nobody else runs meanwhile, so waiting would change nothing. */
static int vfs_sleep(sqlite3_vfs *vfs, int microseconds) {
    (void)vfs;
    return etclite_current_disk == NULL ? system_vfs->xSleep(system_vfs, microseconds) : microseconds;
}

/* Milliseconds of the Julian day on which 1970 began. */
static const sqlite3_int64 epoch = 210866760000000ll;

static int vfs_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *now) {
    (void)vfs;
    if (etclite_current_disk == NULL) return system_vfs->xCurrentTimeInt64(system_vfs, now);
    *now = epoch + etclite_current_disk->milliseconds;
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *now) {
    sqlite3_int64 milliseconds = 0;
    int result = vfs_time_int64(vfs, &milliseconds);
    *now = (double)milliseconds / 86400000.0;
    return result;
}

static void register_once(void) {
    /* Nobody asks how much memory SQLite uses, and counting it costs a lock for each allocation. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    system_vfs = sqlite3_vfs_find(NULL);
    if (system_vfs == NULL) {
        registration_result = SQLITE_ERROR;
        return;
    }
    simulated_vfs = *system_vfs;
    simulated_vfs.pNext = NULL;
    simulated_vfs.zName = "etclite-simulated";
    if (simulated_vfs.szOsFile < (int)sizeof(handle)) simulated_vfs.szOsFile = (int)sizeof(handle);
    simulated_vfs.xOpen = vfs_open;
    simulated_vfs.xDelete = vfs_delete;
    simulated_vfs.xAccess = vfs_access;
    simulated_vfs.xFullPathname = vfs_full_path;
    simulated_vfs.xRandomness = vfs_randomness;
    simulated_vfs.xSleep = vfs_sleep;
    simulated_vfs.xCurrentTime = vfs_time;
    simulated_vfs.xCurrentTimeInt64 = vfs_time_int64;
    registration_result = sqlite3_vfs_register(&simulated_vfs, 1);
}

/* Before anything else runs: whatever stacks a VFS on the default one must find this one, or its paths below /sim/ would lead to the
 * system. In a process of many tests nobody knows which of them comes first. */
__attribute__((constructor)) static void register_at_load(void) { pthread_once(&registered, register_once); }

int etclite_disk_register(void) {
    pthread_once(&registered, register_once);
    return registration_result;
}
