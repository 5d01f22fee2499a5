import SQLite

/// Why the data directory cannot be used, or not now.
package enum StorageError: Error, CustomStringConvertible, Sendable {
    /// Somebody has to do something first; the text says what.
    case refused(String)
    /// No room on the disk. Nothing is damaged; it may work again later.
    case diskFull(String)
    /// A broken promise of disk or code: which file, where in it, what is wrong.
    case damaged(file: String, place: String, reason: String)
    /// SQLite or the system failed in a way that is not retried.
    case failed(String)

    package init(_ error: SQLiteError) {
        if error.isDiskFull {
            self = .diskFull(error.description)
        } else if error.isDamage {
            self = .damaged(file: error.file, place: error.sql ?? "the file", reason: error.message)
        } else {
            self = .failed(error.description)
        }
    }

    package init(_ error: Migrator.Failure) {
        switch error {
        case .sqlite(let error): self.init(error)
        case .newer: self = .refused(error.description)
        }
    }

    /// For a tree that cannot be proven: the log, a backup or the other members have what it should hold.
    static let waysOutOfDamage =
        "restore a backup, rebuild it with etcliteutl replay, or remove this member from its cluster and add it again"

    package var description: String {
        switch self {
        case .refused(let text): text
        case .diskFull(let text): "no space left on the device: \(text)"
        case .damaged(let file, let place, let reason): "\(file) is damaged at \(place): \(reason)"
        case .failed(let text): text
        }
    }
}

/// Runs `body` and turns SQLite's errors into storage errors.
func storing<Value>(_ body: () throws(SQLiteError) -> Value) throws(StorageError) -> Value {
    do { return try body() } catch { throw StorageError(error) }
}
