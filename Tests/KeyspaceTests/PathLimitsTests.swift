import Keyspace
import Testing

@Suite("How long and deep a key may be")
struct PathLimitsTests {
    private func deep(_ segments: Int) -> TreePath { TreePath(String(repeating: "/a", count: segments)) }
    private func long(_ bytes: Int) -> TreePath { TreePath("/" + String(repeating: "a", count: bytes - 1)) }

    @Test("Up to the bounds, and not beyond")
    func bounds() {
        #expect(TreePath.root.isWithinLimits)
        #expect(deep(TreePath.segmentsMax).isWithinLimits)
        #expect(!deep(TreePath.segmentsMax + 1).isWithinLimits)
        #expect(long(TreePath.bytesMax).isWithinLimits)
        #expect(!long(TreePath.bytesMax + 1).isWithinLimits)
    }

    @Test("Applying does not look at them: a log of an older version may hold any")
    func old() {
        var tree = KeyTree(table: MemoryNodeTable(), index: 3)
        guard case .success = tree.apply(Command(.set, deep(TreePath.segmentsMax + 50)), at: 0, watched: WatchedPaths()) else { return #expect(Bool(false)) }
        guard case .success = tree.get(deep(TreePath.segmentsMax + 50), recursive: false) else { return #expect(Bool(false)) }
    }

    @Test("A node that gets its name when it is made has room for it")
    func inOrder() {
        #expect(Command(.createInOrder, deep(TreePath.segmentsMax - 1)).isWithinLimits)
        #expect(!Command(.createInOrder, deep(TreePath.segmentsMax)).isWithinLimits)
        #expect(Command(.createInOrder, long(TreePath.bytesMax - 21)).isWithinLimits)
        #expect(!Command(.createInOrder, long(TreePath.bytesMax - 20)).isWithinLimits)
        #expect(Command(.set, deep(TreePath.segmentsMax)).isWithinLimits)
        var tree = KeyTree(table: MemoryNodeTable(), index: 3)
        guard case .success(let event) = tree.apply(Command(.createInOrder, .root), at: 0, watched: WatchedPaths()) else { return #expect(Bool(false)) }
        #expect(event.path.bytes.count == 21)
    }
}
