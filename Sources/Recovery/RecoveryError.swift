import Storage

/// Why an operation on a data directory or a backup ended without a result.
package enum RecoveryError: Error, CustomStringConvertible, Sendable {
    /// It could not even look: nothing is there, it may not be read, the disk of the output is full.
    case cannotLook(String)
    /// It looked, and something is wrong or in the way.
    case refused(String)

    package init(_ error: StorageError) {
        switch error {
        case .refused, .damaged: self = .refused(error.description)
        case .diskFull, .failed: self = .cannotLook(error.description)
        }
    }

    package var description: String {
        switch self {
        case .cannotLook(let text), .refused(let text): text
        }
    }
}

/// Runs `body` and turns storage errors into this room's.
func recovering<Value>(_ body: () throws(StorageError) -> Value) throws(RecoveryError) -> Value {
    do { return try body() } catch { throw RecoveryError(error) }
}
