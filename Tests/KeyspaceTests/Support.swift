import Keyspace
import Testing

extension TreePath: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) { self.init(text) }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

extension TreeNode {
    static func file(_ value: String, created: UInt64, modified: UInt64? = nil, expiration: Int64? = nil) -> TreeNode {
        TreeNode(
            isDirectory: false, value: bytes(value), created: created, modified: modified ?? created,
            expiration: expiration)
    }

    static func directory(created: UInt64, modified: UInt64? = nil, expiration: Int64? = nil) -> TreeNode {
        TreeNode(isDirectory: true, created: created, modified: modified ?? created, expiration: expiration)
    }
}

/// A tree in memory with one line for each thing a test does to it. Entries have the time 1000.
struct Garden {
    var tree = KeyTree(table: MemoryNodeTable(), index: 0)
    var watched = WatchedPaths()

    init(watching paths: TreePath...) {
        for path in paths { watched.add(path) }
    }

    mutating func apply(
        _ operation: Command.Operation, _ path: TreePath, _ value: String = "",
        change: (inout Command) -> Void = { _ in }
    ) -> Result<Event, Refusal> {
        var command = Command(operation, path)
        command.value = bytes(value)
        change(&command)
        return tree.apply(command, at: 1000, watched: watched)
    }

    /// A change that must succeed.
    @discardableResult
    mutating func make(
        _ operation: Command.Operation, _ path: TreePath, _ value: String = "",
        at location: SourceLocation = #_sourceLocation, change: (inout Command) -> Void = { _ in }
    ) throws -> Event {
        try #require(try? apply(operation, path, value, change: change).get(), sourceLocation: location)
    }

    @discardableResult
    mutating func set(
        _ path: TreePath, _ value: String = "", expiration: Int64? = nil, at location: SourceLocation = #_sourceLocation
    ) throws -> Event {
        try make(.set, path, value, at: location) { $0.expiration = expiration }
    }

    @discardableResult
    mutating func mkdir(
        _ path: TreePath, expiration: Int64? = nil, at location: SourceLocation = #_sourceLocation
    ) throws -> Event {
        try make(.set, path, at: location) {
            $0.isDirectory = true
            $0.expiration = expiration
        }
    }

    /// Expects the refusal, and that neither table nor index took notice.
    mutating func refuses(
        _ refusal: Refusal, _ operation: Command.Operation, _ path: TreePath, _ value: String = "",
        at location: SourceLocation = #_sourceLocation, change: (inout Command) -> Void = { _ in }
    ) {
        let table = tree.table
        let index = tree.index
        let outcome = apply(operation, path, value, change: change)
        #expect(outcome == .failure(refusal), sourceLocation: location)
        #expect(tree.table == table, sourceLocation: location)
        #expect(tree.index == index, sourceLocation: location)
    }

    subscript(_ path: TreePath) -> TreeNode? { tree.table.node(at: path) }

    var paths: [String] { tree.table.all.map(\.path.text) }

    func listing(_ path: TreePath, recursive: Bool = false) throws -> [String] {
        guard case .directory(_, let nodes) = try tree.get(path, recursive: recursive).get() else {
            throw NotADirectory()
        }
        return nodes.map { "\($0.depth) \($0.path.text)" }
    }

    struct NotADirectory: Error {}
}
