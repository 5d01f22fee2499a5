import Keyspace
import TestSupport
import Testing

@Suite("The tree against a naive model")
struct ModelTests {
    @Test("Random commands have the same outcome, events and tree as in the model", arguments: 1...40)
    func agrees(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var garden = Garden()
        let model = NaiveTree()
        for step in 0..<400 {
            let time = Int64(step)
            switch Int.random(in: 0..<20, using: &random) {
            case 0:
                #expect(garden.tree.expire(at: time, watched: garden.watched) == model.expire(time: time))
            case 1:
                model.index += 1
                #expect(garden.tree.skipIndex() == model.index)
            case 2:
                let path = self.path(&random)
                if random.chance(60) {
                    if model.watched.insert(path).inserted { garden.watched.add(TreePath(path)) }
                } else if model.watched.remove(path) != nil {
                    garden.watched.remove(TreePath(path))
                }
            case 3...5:
                let path = self.path(&random)
                let recursive = random.chance(50)
                #expect(garden.tree.get(TreePath(path), recursive: recursive) == model.get(path, recursive: recursive))
            default:
                let command = self.command(&random, index: garden.tree.index, time: time)
                let outcome = garden.tree.apply(command, at: time, watched: garden.watched)
                #expect(outcome == model.apply(command, time: time), "\(command)")
            }
            #expect(garden.tree.index == model.index)
            let expected = model.everything().map { (TreePath($0.0), $0.1.stored) }.sorted { $0.0 < $1.0 }
            #expect(garden.tree.table.all.map(\.path) == expected.map(\.0))
            #expect(garden.tree.table.all.map(\.node) == expected.map(\.1))
        }
    }

    @Test("The same commands give the same state hash, kept up by the change or counted at the end")
    func sameHash() {
        func run() -> StateHash {
            var random = SeededGenerator(seed: 99)
            var tree = KeyTree(table: HashedTable(), index: 0)
            for step in 0..<2000 {
                let time = Int64(step)
                if random.chance(5) {
                    _ = tree.expire(at: time, watched: WatchedPaths())
                } else {
                    _ = tree.apply(command(&random, index: tree.index, time: time), at: time, watched: WatchedPaths())
                }
            }
            var counted = StateHash()
            for (path, node) in tree.table.table.all { counted.add(path, node) }
            #expect(tree.table.table.count > 5)
            #expect(tree.table.hash == counted)
            return counted
        }
        #expect(run() == run())
    }

    private func path(_ random: inout SeededGenerator) -> String {
        let names = ["a", "b", "_h", "a-", "ab"]
        let depth = random.pick([0, 1, 1, 1, 2, 2, 2, 3, 3, 4])
        return (0..<depth).map { _ in "/" + random.pick(names) }.joined()
    }

    private func command(_ random: inout SeededGenerator, index: UInt64, time: Int64) -> Command {
        let operations: [Command.Operation] = [
            .set, .set, .set, .set, .create, .createInOrder, .update, .update, .compareAndSwap, .delete,
            .compareAndDelete,
        ]
        let operation = random.pick(operations)
        var command = Command(operation, TreePath(path(&random)))
        let isCreate = operation == .create || operation == .createInOrder
        command.isRefresh = !isCreate && random.chance(15)
        command.value = command.isRefresh ? [] : random.pick([[], bytes("x"), bytes("y")])
        command.isDirectory = random.chance(25)
        command.isRecursive = random.chance(25)
        if random.chance(30) { command.expiration = time + Int64.random(in: -5...60, using: &random) }
        if operation == .compareAndSwap || operation == .compareAndDelete {
            if random.chance(50) { command.previousValue = random.pick([bytes("x"), bytes("y")]) }
            let age = UInt64.random(in: 0...8, using: &random)
            if random.chance(50) { command.previousIndex = index - min(index, age) }
        }
        return command
    }
}

/// Keeps the hash up the way a durable table does: it looks at what it replaces.
private struct HashedTable: NodeTable {
    private(set) var table = MemoryNodeTable()
    private(set) var hash = StateHash()

    func node(at path: TreePath) -> TreeNode? { table.node(at: path) }

    mutating func put(_ node: TreeNode, at path: TreePath, over old: TreeNode?) {
        #expect(old == table.node(at: path))
        if let old { hash.remove(path, old) }
        hash.add(path, node)
        table.put(node, at: path)
    }

    mutating func remove(_ old: TreeNode, at path: TreePath) {
        #expect(old == table.node(at: path))
        hash.remove(path, old)
        table.remove(path)
    }

    mutating func removeSubtree(_ path: TreePath) {
        for (below, node) in table.all where below == path || below.isBelow(path) { hash.remove(below, node) }
        table.removeSubtree(path)
    }

    func hasChildren(_ path: TreePath) -> Bool { table.hasChildren(path) }
    func children(of path: TreePath) -> [(path: TreePath, node: TreeNode)] { table.children(of: path) }
    func due(at time: Int64) -> [(path: TreePath, expiration: Int64)] { table.due(at: time) }
}
