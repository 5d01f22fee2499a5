#include "page_checksum.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bytes at the end of a page. */
enum { CHECKSUM_BYTES = 8, PAGE_BYTES_MAX = 65536 };

/* Of a WAL (sqlite.org/fileformat2.html#the_write_ahead_log). */
enum { WAL_HEADER_BYTES = 32, FRAME_HEADER_BYTES = 24 };

typedef struct {
    sqlite3_file base;
    /* Size of a page once it is known that pages have checksums; 0 until then, and for all other files. */
    int page_bytes;
    int is_main_database;
    /* Opened while this thread was tolerant, and so for as long as it is open. */
    int is_tolerated;
    int is_wal;
    /* A frame's header that waits for its page, so that both go out in one write. */
    int has_frame_header;
    unsigned char frame_header[FRAME_HEADER_BYTES];
    sqlite3_int64 frame_offset;
    sqlite3_file *real; /* behind this struct, in the same allocation */
} checked_file;

static sqlite3_vfs checked_vfs;
static sqlite3_vfs *system_vfs;
static pthread_once_t registered = PTHREAD_ONCE_INIT;
static int registration_result;
static _Thread_local unsigned int damaged_page;
static _Thread_local int is_tolerant;

unsigned int etclite_page_checksum_damaged_page(void) { return damaged_page; }

void etclite_page_checksum_tolerate(int on) { is_tolerant = on; }

static inline uint64_t fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Over all but the last 8 bytes, seeded with the page number so that a page in the wrong place is found too. */
static uint64_t checksum(const unsigned char *page, int bytes, uint64_t number) {
    uint64_t first = 0x9e3779b97f4a7c15ull ^ number, second = 0xd6e8feb86659fd93ull;
    int position = 0, end = bytes - CHECKSUM_BYTES;
    for (; position + 16 <= end; position += 16) {
        uint64_t one, two;
        memcpy(&one, page + position, 8);
        memcpy(&two, page + position + 8, 8);
        /* The odd constants keep a zero word from wiping out what came before. */
        first = fold(first ^ one, 0xa0761d6478bd642full) + second;
        second = fold(second ^ two, 0xe7037ed1a0b428dbull) ^ first;
    }
    if (position < end) {
        uint64_t one;
        memcpy(&one, page + position, 8);
        first = fold(first ^ one, 0xa0761d6478bd642full) + second;
    }
    return fold(first, second ^ 0x8ebc6af09c88c6e3ull) ^ first;
}

/* Looks at the header of a database (sqlite.org/fileformat2.html#the_database_header). */
static void learn(checked_file *file, const unsigned char *header) {
    if (memcmp(header, "SQLite format 3", 16) != 0) return;
    int bytes = header[16] << 8 | header[17];
    if (bytes == 1) bytes = PAGE_BYTES_MAX;
    file->page_bytes = header[20] == CHECKSUM_BYTES && bytes >= 512 && (bytes & (bytes - 1)) == 0 ? bytes : 0;
}

/* The mark that pages have checksums is a byte of the header itself: a first page that is right as soon as the mark is back has
 * lost it. */
static int has_lost_mark(const checked_file *file, const unsigned char *page, int amount) {
    if (file->page_bytes != 0 || amount < 512 || memcmp(page, "SQLite format 3", 16) != 0) return 0;
    unsigned char copy[PAGE_BYTES_MAX];
    if (amount > PAGE_BYTES_MAX || (page[16] << 8 | page[17]) != (amount == PAGE_BYTES_MAX ? 1 : amount)) return 0;
    memcpy(copy, page, (size_t)amount);
    copy[20] = CHECKSUM_BYTES;
    uint64_t stored;
    memcpy(&stored, copy + amount - CHECKSUM_BYTES, CHECKSUM_BYTES);
    return stored == checksum(copy, amount, 1);
}

static int is_page(const checked_file *file, int amount, sqlite3_int64 offset) {
    return file->page_bytes != 0 && amount == file->page_bytes && offset % amount == 0;
}

/* Before anything but the write of the page: a header that waits goes out by itself. */
static int write_frame_header(checked_file *file) {
    if (!file->has_frame_header) return SQLITE_OK;
    file->has_frame_header = 0;
    return file->real->pMethods->xWrite(file->real, file->frame_header, FRAME_HEADER_BYTES, file->frame_offset);
}

/* SQLite writes each frame of a WAL in two parts, header and page. The page follows at once, so whatever was said of the header's write
 * holds for both: SQLite looks at the result of the second before it counts the frame. */
static int write_wal(checked_file *file, const void *buffer, int amount, sqlite3_int64 offset) {
    if (file->has_frame_header && offset == file->frame_offset + FRAME_HEADER_BYTES && amount > 0 && amount <= PAGE_BYTES_MAX) {
        unsigned char frame[FRAME_HEADER_BYTES + PAGE_BYTES_MAX];
        memcpy(frame, file->frame_header, FRAME_HEADER_BYTES);
        memcpy(frame + FRAME_HEADER_BYTES, buffer, (size_t)amount);
        file->has_frame_header = 0;
        return file->real->pMethods->xWrite(file->real, frame, FRAME_HEADER_BYTES + amount, file->frame_offset);
    }
    int result = write_frame_header(file);
    if (result != SQLITE_OK) return result;
    if (amount != FRAME_HEADER_BYTES || offset < WAL_HEADER_BYTES)
        return file->real->pMethods->xWrite(file->real, buffer, amount, offset);
    memcpy(file->frame_header, buffer, FRAME_HEADER_BYTES);
    file->frame_offset = offset;
    file->has_frame_header = 1;
    return SQLITE_OK;
}

static int checked_read(sqlite3_file *base, void *buffer, int amount, sqlite3_int64 offset) {
    checked_file *file = (checked_file *)base;
    int written = write_frame_header(file);
    if (written != SQLITE_OK) return written;
    int result = file->real->pMethods->xRead(file->real, buffer, amount, offset);
    if (result == SQLITE_IOERR_SHORT_READ && file->is_main_database && is_page(file, amount, offset)) {
        /* A page behind the end of the file was never written; one that is cut through was, and the rest of it is lost. */
        sqlite3_int64 size = 0;
        if (!file->is_tolerated && !is_tolerant && file->real->pMethods->xFileSize(file->real, &size) == SQLITE_OK && size > offset) {
            damaged_page = (unsigned int)(offset / amount) + 1;
            return SQLITE_IOERR_DATA;
        }
    }
    if (result != SQLITE_OK || !file->is_main_database) return result;
    if (offset == 0 && amount >= 100) learn(file, buffer);
    if (offset == 0 && has_lost_mark(file, buffer, amount) && !is_tolerant && !file->is_tolerated) {
        damaged_page = 1;
        return SQLITE_IOERR_DATA;
    }
    if (!is_page(file, amount, offset)) return SQLITE_OK;
    uint64_t number = (uint64_t)(offset / amount) + 1, stored;
    memcpy(&stored, (unsigned char *)buffer + amount - CHECKSUM_BYTES, CHECKSUM_BYTES);
    if (is_tolerant || file->is_tolerated || stored == checksum(buffer, amount, number)) return SQLITE_OK;
    damaged_page = (unsigned int)number;
    return SQLITE_IOERR_DATA;
}

static int checked_write(sqlite3_file *base, const void *buffer, int amount, sqlite3_int64 offset) {
    checked_file *file = (checked_file *)base;
    if (file->is_wal) return write_wal(file, buffer, amount, offset);
    if (file->is_main_database && offset == 0 && amount >= 100) learn(file, buffer);
    if (!file->is_main_database || !is_page(file, amount, offset))
        return file->real->pMethods->xWrite(file->real, buffer, amount, offset);
    /* SQLite's buffer is not ours to change. */
    unsigned char copy[PAGE_BYTES_MAX];
    memcpy(copy, buffer, (size_t)amount);
    uint64_t sum = checksum(copy, amount, (uint64_t)(offset / amount) + 1);
    memcpy(copy + amount - CHECKSUM_BYTES, &sum, CHECKSUM_BYTES);
    return file->real->pMethods->xWrite(file->real, copy, amount, offset);
}

#define REAL(base) (((checked_file *)(base))->real)

/* A header whose page never came belongs to a transaction that failed. */
static int checked_close(sqlite3_file *base) { return REAL(base)->pMethods->xClose(REAL(base)); }
static int checked_truncate(sqlite3_file *base, sqlite3_int64 size) {
    int result = write_frame_header((checked_file *)base);
    return result != SQLITE_OK ? result : REAL(base)->pMethods->xTruncate(REAL(base), size);
}
static int checked_sync(sqlite3_file *base, int flags) {
    int result = write_frame_header((checked_file *)base);
    return result != SQLITE_OK ? result : REAL(base)->pMethods->xSync(REAL(base), flags);
}
static int checked_size(sqlite3_file *base, sqlite3_int64 *size) {
    int result = write_frame_header((checked_file *)base);
    return result != SQLITE_OK ? result : REAL(base)->pMethods->xFileSize(REAL(base), size);
}
static int checked_lock(sqlite3_file *base, int level) { return REAL(base)->pMethods->xLock(REAL(base), level); }
static int checked_unlock(sqlite3_file *base, int level) { return REAL(base)->pMethods->xUnlock(REAL(base), level); }
static int checked_is_locked(sqlite3_file *base, int *result) {
    return REAL(base)->pMethods->xCheckReservedLock(REAL(base), result);
}
static int checked_control(sqlite3_file *base, int operation, void *argument) {
    return REAL(base)->pMethods->xFileControl(REAL(base), operation, argument);
}
static int checked_sector(sqlite3_file *base) { return REAL(base)->pMethods->xSectorSize(REAL(base)); }
static int checked_characteristics(sqlite3_file *base) {
    return REAL(base)->pMethods->xDeviceCharacteristics(REAL(base));
}
static int checked_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **memory) {
    return REAL(base)->pMethods->xShmMap(REAL(base), region, size, extend, memory);
}
static int checked_shm_lock(sqlite3_file *base, int offset, int count, int flags) {
    return REAL(base)->pMethods->xShmLock(REAL(base), offset, count, flags);
}
static void checked_shm_barrier(sqlite3_file *base) { REAL(base)->pMethods->xShmBarrier(REAL(base)); }
static int checked_shm_unmap(sqlite3_file *base, int remove) {
    return REAL(base)->pMethods->xShmUnmap(REAL(base), remove);
}

/* Version 2: shared memory for the WAL, and no memory mapping, which would go past the checksums. */
static const sqlite3_io_methods checked_methods = {
    .iVersion = 2,
    .xClose = checked_close,
    .xRead = checked_read,
    .xWrite = checked_write,
    .xTruncate = checked_truncate,
    .xSync = checked_sync,
    .xFileSize = checked_size,
    .xLock = checked_lock,
    .xUnlock = checked_unlock,
    .xCheckReservedLock = checked_is_locked,
    .xFileControl = checked_control,
    .xSectorSize = checked_sector,
    .xDeviceCharacteristics = checked_characteristics,
    .xShmMap = checked_shm_map,
    .xShmLock = checked_shm_lock,
    .xShmBarrier = checked_shm_barrier,
    .xShmUnmap = checked_shm_unmap,
};

static int checked_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out) {
    (void)vfs;
    checked_file *file = (checked_file *)base;
    memset(file, 0, sizeof *file);
    file->real = (sqlite3_file *)(file + 1);
    file->is_main_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    file->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    file->is_tolerated = is_tolerant;
    int result = system_vfs->xOpen(system_vfs, name, file->real, flags, out);
    /* A file that has methods will be closed by SQLite, also after a failure. */
    if (file->real->pMethods != NULL) base->pMethods = &checked_methods;
    return result;
}

static void register_once(void) {
    // Memory statistics are kept under one lock for all threads, and nobody reads them.
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    system_vfs = sqlite3_vfs_find(NULL);
    if (system_vfs == NULL) {
        registration_result = SQLITE_ERROR;
        return;
    }
    checked_vfs = *system_vfs;
    checked_vfs.pNext = NULL;
    checked_vfs.zName = "etclite";
    checked_vfs.szOsFile = (int)sizeof(checked_file) + system_vfs->szOsFile;
    checked_vfs.xOpen = checked_open;
    registration_result = sqlite3_vfs_register(&checked_vfs, 0);
}

/* Stamps the pages of an open file. Returns a SQLite result code. */
static int stamp(sqlite3_file *real) {
    unsigned char page[PAGE_BYTES_MAX];
    checked_file file = {.is_main_database = 1};
    sqlite3_int64 size = 0;
    int result = real->pMethods->xFileSize(real, &size);
    if (result == SQLITE_OK) result = real->pMethods->xRead(real, page, 100, 0);
    if (result != SQLITE_OK) return result;
    learn(&file, page);
    if (file.page_bytes == 0) return SQLITE_OK;
    for (sqlite3_int64 offset = 0; offset < size; offset += file.page_bytes) {
        result = real->pMethods->xRead(real, page, file.page_bytes, offset);
        if (result != SQLITE_OK) return result;
        uint64_t sum = checksum(page, file.page_bytes, (uint64_t)(offset / file.page_bytes) + 1), stored;
        memcpy(&stored, page + file.page_bytes - CHECKSUM_BYTES, CHECKSUM_BYTES);
        if (stored == sum) continue;
        result = real->pMethods->xWrite(real, &sum, CHECKSUM_BYTES, offset + file.page_bytes - CHECKSUM_BYTES);
        if (result != SQLITE_OK) return result;
    }
    return SQLITE_OK;
}

int etclite_page_checksum_stamp(const char *path) {
    if (etclite_page_checksum_register() != SQLITE_OK) return -1;
    /* A name for SQLite ends with two more zero bytes: it has no URI parameters. */
    size_t length = strlen(path);
    char *name = calloc(1, length + 3);
    sqlite3_file *real = calloc(1, (size_t)system_vfs->szOsFile);
    int result = SQLITE_NOMEM;
    if (name != NULL && real != NULL) {
        memcpy(name, path, length);
        result = system_vfs->xOpen(system_vfs, name, real, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB, NULL);
        if (result == SQLITE_OK) result = stamp(real);
        if (real->pMethods != NULL) real->pMethods->xClose(real);
    }
    free(real);
    free(name);
    return result == SQLITE_OK ? 0 : -1;
}

int etclite_page_checksum_register(void) {
    pthread_once(&registered, register_once);
    return registration_result;
}
