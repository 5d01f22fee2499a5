import Keyspace
import Testing

@Suite("The node table in memory")
struct MemoryNodeTableTests {
    @Test("A subtree is what lies below by whole segments, and its root")
    func subtree() {
        var table = planted("/d", "/d/a", "/d/a/b", "/d-e", "/d0", "/e")
        table.removeSubtree("/d")
        #expect(table.all.map(\.path) == ["/d-e", "/d0", "/e"])
        table.removeSubtree("/not-there")
        #expect(table.count == 3)
    }

    @Test("Children are direct ones, ordered by name")
    func children() {
        let table = planted("/d", "/d/b", "/d/a", "/d/a/b", "/d/a-b", "/d-e", "/d/_h")
        #expect(table.children(of: "/d").map(\.path) == ["/d/_h", "/d/a", "/d/a-b", "/d/b"])
        #expect(table.children(of: "/").map(\.path) == ["/d", "/d-e"])
        #expect(table.hasChildren("/d"))
        #expect(table.hasChildren("/"))
        #expect(!table.hasChildren("/d/b"))
        #expect(!MemoryNodeTable().hasChildren("/"))
    }

    @Test("Putting replaces, removing takes the one node")
    func putAndRemove() {
        var table = planted("/a", "/b")
        table.put(.file("new", created: 9), at: "/a")
        #expect(table.node(at: "/a") == .file("new", created: 9))
        table.remove("/a")
        table.remove("/a")
        #expect(table.all.map(\.path) == ["/b"])
    }

    @Test("Due are those not after the time, by expiration, then path")
    func due() {
        var table = planted("/never")
        table.put(.file("", created: 1, expiration: 7), at: "/b")
        table.put(.file("", created: 1, expiration: 7), at: "/a")
        table.put(.file("", created: 1, expiration: 3), at: "/z")
        table.put(.file("", created: 1, expiration: 8), at: "/later")
        let due = table.due(at: 7)
        #expect(due.map(\.path) == ["/z", "/a", "/b"])
        #expect(due.map(\.expiration) == [3, 7, 7])
    }

    private func planted(_ paths: TreePath...) -> MemoryNodeTable {
        var table = MemoryNodeTable()
        for path in paths { table.put(.file("", created: 1), at: path) }
        return table
    }
}
