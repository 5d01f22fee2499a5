/* The system's SQLite, and what Swift cannot import of it: casts and variadic functions. */
#include <sqlite3.h>

static inline sqlite3_destructor_type etclite_sqlite_transient(void) { return SQLITE_TRANSIENT; }

/* The connection refuses what could damage its file: writing the schema table, shadow tables. */
static inline int etclite_sqlite_defensive(sqlite3 *db) {
    return sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
}

/* The WAL file stays, with its size, when the last connection closes. */
static inline int etclite_sqlite_persist_wal(sqlite3 *db) {
    int on = 1;
    return sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
}

/* A file that is still empty will have room for a checksum at the end of each page; others stay as they are. */
static inline int etclite_sqlite_reserve_page_checksum(sqlite3 *db) {
    int bytes = 8;
    return sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
}

/* errno of the last write that failed, as SQLite keeps it with the file; 0 when it has none. A checkpoint writes the database, everything
 * else its WAL. */
static inline int etclite_sqlite_write_errno(sqlite3 *db, int is_checkpoint) {
    int code = 0;
    sqlite3_file *wal = 0;
    if (!is_checkpoint && sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK && wal && wal->pMethods)
        wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &code);
    if (!code) sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &code);
    return code;
}
