import Raft
import Storage

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
