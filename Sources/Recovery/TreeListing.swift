import Keyspace
import Storage

/// The key tree of a data directory, as a server would serve it after a start.
package final class TreeListing {
    private let applier: EntryApplier
    private let reader: DirectoryReader

    package init(_ path: String, progress: ProgressReport? = nil) throws(RecoveryError) {
        let reader = try Looking.reader(path)
        self.reader = reader
        applier = try recovering { () throws(StorageError) in try reader.currentTree(progress) }
    }

    /// The v2 index.
    package var index: UInt64 { applier.tree.index }

    /// The node at `path`; nil when there is none, or for the root.
    package func node(at path: TreePath) throws(RecoveryError) -> TreeNode? {
        try recovering { () throws(StorageError) in try applier.tree.table.node(at: path) }
    }

    /// Shows what lies below a directory, depth first, each directory before what is in it, names in the order of their
    /// bytes; a file shows itself.
    ///
    /// - Parameter hidden: also nodes whose name begins with an underscore, and what is below them.
    /// - Throws: `refused` when nothing is at `path`.
    package func visit(
        _ path: TreePath, recursive: Bool, hidden: Bool, _ body: (TreePath, TreeNode) -> Void
    ) throws(RecoveryError) {
        if !path.isRoot {
            guard let node = try node(at: path) else { throw .refused("\(path.text): key not found") }
            if !node.isDirectory { return body(path, node) }
        }
        try recovering { () throws(StorageError) in
            // On the heap: how deep a tree gets was the choice of strangers.
            var waiting = try children(path, hidden)
            while let next = waiting.popLast() {
                body(next.path, next.node)
                if recursive, next.node.isDirectory { waiting += try children(next.path, hidden) }
            }
        }
    }

    private func children(_ path: TreePath, _ hidden: Bool) throws(StorageError) -> [(path: TreePath, node: TreeNode)] {
        try applier.tree.table.children(of: path).filter { hidden || !$0.path.isHidden }.reversed()
    }
}
