import Synchronization

/// Who copies `tree.db` beside its threads holds this, and so does who swaps it: a copy that is opened between the removal of the old
/// WAL and the new file's arrival would read, or leave, what belongs to neither. It is held while pages are read, and no longer.
package final class TreeFileLock: Sendable {
    private let lock = Mutex<Void>(())

    package init() {}

    package func hold<Value: ~Copyable>(_ body: () throws(StorageError) -> Value) throws(StorageError) -> Value {
        try lock.withLock { _ throws(StorageError) in try body() }
    }
}
