import Keyspace
import SQLite

/// Walks through what a listing of a directory shows, straight from `tree.db`, in the order of `KeyTree.get`: each directory before what lies
/// in it, the nodes of one directory by the bytes of their names; hidden ones are left out with everything below them.
///
/// One row is in memory at a time, and one place for each directory on the way down, so it does not matter how large the tree is.
/// Confined to the thread of its reader, which must be held.
package final class ListingWalk {
    private struct Level {
        let directory: TreePath
        /// The last child that was visited; empty: none yet.
        var last: [UInt8] = []
    }

    private let reader: TreeReader
    private let rows: Statement
    private let isRecursive: Bool
    private var levels: [Level]
    /// `rows` stands in the last level. Otherwise that level is found again behind its last child.
    private var isPlaced = false

    init(_ directory: TreePath, recursive: Bool, rows: Statement, reader: TreeReader) {
        self.reader = reader
        self.rows = rows
        isRecursive = recursive
        levels = [Level(directory: directory)]
    }

    deinit { rows.reset() }

    /// Nil at the end.
    package func next() throws(StorageError) -> ListedNode? {
        try storing { () throws(SQLiteError) in
            while let level = levels.last {
                if !isPlaced {
                    rows.reset()
                    try rows.bind(1, text: level.directory.bytes)
                    try rows.bind(2, text: level.last)
                    isPlaced = true
                }
                guard try rows.step() else {
                    levels.removeLast()
                    isPlaced = false
                    continue
                }
                let name = rows.bytes(TreeReader.nodeColumnCount)
                let path = level.directory.child(name)
                if path.isHidden { continue }
                let listed = ListedNode(depth: levels.count, path: path, node: try reader.node(rows, 0))
                if isRecursive, listed.node.isDirectory {
                    levels[levels.count - 1].last = name
                    levels.append(Level(directory: path))
                    isPlaced = false
                }
                return listed
            }
            return nil
        }
    }
}

extension TreeReader {
    /// Columns of `nodeColumns`; the name comes behind them.
    static let nodeColumnCount: Int32 = 5

    /// - Precondition: the reader is held, so that all that the walk sees is of one moment.
    package func walk(_ directory: TreePath, recursive: Bool) throws(StorageError) -> ListingWalk {
        let rows = try storing { () throws(SQLiteError) in
            try connection.prepare(
                "SELECT \(nodeColumns), name FROM nodes WHERE parent = ? AND name > ? ORDER BY name")
        }
        return ListingWalk(directory, recursive: recursive, rows: rows, reader: self)
    }
}
