/// Which paths somebody watches, so that a recursive removal knows whom it may have to tell.
///
/// Sorted by bytes: what lies below a path is one stretch, found without a look at the rest.
package struct WatchedPaths: Equatable, Sendable {
    private struct Entry: Equatable, Sendable {
        let path: TreePath
        var watchers: Int
    }

    /// Invariant: ordered by path, each path once, `watchers` at least 1.
    private var entries: [Entry] = []

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }

    /// Counts one more watcher of the path.
    package mutating func add(_ path: TreePath) {
        let place = entries.partitionPoint { $0.path < path }
        if entries.indices.contains(place), entries[place].path == path {
            entries[place].watchers += 1
        } else {
            entries.insert(Entry(path: path, watchers: 1), at: place)
        }
    }

    /// Counts one watcher less; a path that was not added is ignored.
    package mutating func remove(_ path: TreePath) {
        let place = entries.partitionPoint { $0.path < path }
        guard entries.indices.contains(place), entries[place].path == path else { return }
        entries[place].watchers -= 1
        if entries[place].watchers == 0 { entries.remove(at: place) }
    }

    /// The watched paths strictly below, by whole segments, ordered by bytes.
    package func below(_ path: TreePath) -> [TreePath] {
        if entries.isEmpty { return [] }
        let first = path.child([])
        let start = entries.partitionPoint { $0.path < first }
        return entries[start...].prefix { $0.path.isBelow(path) }.map(\.path)
    }
}
