import Keyspace
import Testing

@Suite("What a change and a read cost the table")
struct LookupCostTests {
    @Test("A set of an existing file asks once and writes once")
    func existing() throws {
        var tree = try grown()
        #expect(cost(&tree, Command(.set, "/a/b/c/d")) == Cost(lookups: 1, puts: 1))
    }

    @Test("A new file asks once more, for its parent")
    func new() throws {
        var tree = try grown()
        #expect(cost(&tree, Command(.set, "/a/b/c/new")) == Cost(lookups: 2, puts: 1))
        #expect(cost(&tree, Command(.createInOrder, "/a/b/c")) == Cost(lookups: 2, puts: 1))
        #expect(cost(&tree, Command(.set, "/new")) == Cost(lookups: 1, puts: 1))
    }

    @Test("A very deep path that does not exist is given up at its first component")
    func deep() throws {
        var tree = try grown()
        let path = TreePath(String(repeating: "/x", count: 1000))
        #expect(cost(&tree, Command(.delete, path)) == Cost(lookups: 3, puts: 0))
    }

    @Test("A file is read with one lookup")
    func read() throws {
        let tree = try grown()
        tree.table.counter.cost = Cost()
        _ = tree.get("/a/b/c/d", recursive: false)
        #expect(tree.table.counter.cost == Cost(lookups: 1, puts: 0))
    }

    private func grown() throws -> KeyTree<CountingTable> {
        var tree = KeyTree(table: CountingTable(), index: 0)
        _ = try tree.apply(Command(.set, "/a/b/c/d"), at: 0, watched: WatchedPaths()).get()
        return tree
    }

    private func cost(_ tree: inout KeyTree<CountingTable>, _ command: Command) -> Cost {
        tree.table.counter.cost = Cost()
        _ = tree.apply(command, at: 0, watched: WatchedPaths())
        return tree.table.counter.cost
    }
}

private struct Cost: Equatable {
    var lookups = 0
    var puts = 0
}

private final class Counter {
    var cost = Cost()
}

private struct CountingTable: NodeTable {
    private var table = MemoryNodeTable()
    let counter = Counter()

    func node(at path: TreePath) -> TreeNode? {
        counter.cost.lookups += 1
        return table.node(at: path)
    }

    mutating func put(_ node: TreeNode, at path: TreePath, over _: TreeNode?) {
        counter.cost.puts += 1
        table.put(node, at: path)
    }

    mutating func remove(_: TreeNode, at path: TreePath) { table.remove(path) }
    mutating func removeSubtree(_ path: TreePath) { table.removeSubtree(path) }
    func hasChildren(_ path: TreePath) -> Bool { table.hasChildren(path) }
    func children(of path: TreePath) -> [(path: TreePath, node: TreeNode)] { table.children(of: path) }
    func due(at time: Int64) -> [(path: TreePath, expiration: Int64)] { table.due(at: time) }
}
