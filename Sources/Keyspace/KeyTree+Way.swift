/// The way to a path at which no node exists, and why it is not there.
enum Way: Equatable {
    /// The parent is a directory.
    case open
    /// The first component that is missing; it lies above the path.
    case broken(at: TreePath)
    /// A file above the path.
    case blocked(by: TreePath)
}

extension KeyTree {
    /// Asks for the parent first, which settles nearly all cases with one lookup. Only then it walks, and from
    /// the top: the walk ends at the first gap, so a very deep path in an empty tree costs two lookups.
    ///
    /// - Precondition: No node is at `path`, and it is not the root.
    func way(to path: TreePath) throws(Table.Failure) -> Way {
        guard let parent = path.parent, !parent.isRoot else { return .open }
        if let node = try table.node(at: parent) { return node.isDirectory ? .open : .blocked(by: parent) }
        for ancestor in parent.lazyAncestors {
            guard let node = try table.node(at: ancestor) else { return .broken(at: ancestor) }
            if !node.isDirectory { return .blocked(by: ancestor) }
        }
        return .broken(at: parent)
    }

    /// A file on the way comes before a missing key, and of missing keys the first is named (v2-keys.md §4, 6).
    func whyMissing(_ path: TreePath) throws(Table.Failure) -> Refusal {
        switch try way(to: path) {
        case .open: .keyNotFound(path)
        case .broken(let first): .keyNotFound(first)
        case .blocked(let file): .notADirectory(file)
        }
    }
}

extension TreePath {
    /// `ancestors`, one at a time: all of them at once are quadratic in the length of a path that a client chose.
    var lazyAncestors: some Sequence<TreePath> {
        bytes.indices.dropFirst().lazy.filter { bytes[$0] == UInt8(ascii: "/") }.map {
            TreePath(clean: Array(bytes[..<$0]))
        }
    }
}
