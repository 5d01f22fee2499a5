import Raft
import Storage
import Synchronization

/// A received and verified snapshot on its way into the place of log and tree, from thread to thread:
///
///     log thread     stages the file; one transaction of log.db says that the tree is to be swapped
///     apply thread   lets go of the old tree
///     tree thread    lets go of it too, swaps the files, opens the new one
///     apply thread   goes on with the new tree
///     log thread     forgets that there was something to do
struct IncomingTree: Sendable {
    /// The received file.
    let path: String
    let manifest: SnapshotManifest
}

/// Who copies `tree.db` beside its threads holds this, and so does who swaps it: a copy that is opened between the removal of the old
/// WAL and the new file's arrival would read, or leave, what belongs to neither.
final class TreeFileLock: Sendable {
    private let lock = Mutex<Void>(())

    func hold<Value: ~Copyable>(_ body: () throws(StorageError) -> Value) throws(StorageError) -> Value {
        try lock.withLock { _ throws(StorageError) in try body() }
    }
}
