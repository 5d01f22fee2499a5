import Keyspace
import Testing

@Suite("v2-keys.md §11: TTL")
struct ExpiryTests {
    @Test("What is due goes, at its instant and not before; what is not stays")
    func due() throws {
        var garden = Garden()
        try garden.set("/a", "x", expiration: 5000)
        try garden.set("/b", "x", expiration: 5001)
        try garden.set("/c", "x")
        #expect(garden.tree.expire(at: 4999, watched: garden.watched) == [])
        #expect(garden.tree.index == 3)
        let events = garden.tree.expire(at: 5000, watched: garden.watched)
        let gone = TreeNode(isDirectory: false, created: 1, modified: 4)
        #expect(
            events == [
                Event(
                    .expire, index: 4, path: "/a", node: gone, previous: .file("x", created: 1, expiration: 5000),
                    time: 5000)
            ])
        #expect(garden.paths == ["/b", "/c"])
        #expect(garden.tree.index == 4)
    }

    @Test("Each has an index of its own, in the order of expiration, then path")
    func order() throws {
        var garden = Garden()
        try garden.set("/late", expiration: 3000)
        try garden.set("/b", expiration: 2000)
        try garden.set("/a", expiration: 2000)
        try garden.set("/z", expiration: -1)
        let events = garden.tree.expire(at: 3000, watched: garden.watched)
        #expect(events.map(\.path) == ["/z", "/a", "/b", "/late"])
        #expect(events.map(\.index) == [5, 6, 7, 8])
        #expect(garden.tree.index == 8)
        #expect(garden.paths == [])
    }

    @Test("A directory takes its subtree; what lay in it makes no event, though it was due too")
    func directory() throws {
        var garden = Garden(watching: "/d/early", "/d/late/x", "/d/none")
        try garden.mkdir("/d", expiration: 2000)
        try garden.set("/d/early", expiration: 1500)
        try garden.set("/d/same", expiration: 2000)
        try garden.set("/d/late/x", expiration: 9000)
        let events = garden.tree.expire(at: 2000, watched: garden.watched)
        #expect(events.map(\.path) == ["/d/early", "/d"])
        #expect(events.map(\.index) == [5, 6])
        #expect(garden.tree.index == 6)
        #expect(events.last?.node == .directory(created: 1, modified: 6))
        #expect(events.last?.previous == .directory(created: 1, expiration: 2000))
        #expect(events.last?.removedBelow == ["/d/late/x"])
        #expect(garden.paths == [])
    }

    @Test("Replacing, renewing or deleting a node cancels its old TTL")
    func cancelled() throws {
        var garden = Garden()
        try garden.set("/set", expiration: 2000)
        try garden.set("/set")
        try garden.set("/directory", expiration: 2000)
        try garden.mkdir("/directory")
        try garden.set("/update", expiration: 2000)
        try garden.make(.update, "/update") { $0.expiration = 9000 }
        try garden.set("/tree/a", expiration: 2000)
        try garden.make(.delete, "/tree") { $0.isRecursive = true }
        try garden.set("/tree/a")
        #expect(garden.tree.expire(at: 5000, watched: garden.watched) == [])
    }

    @Test("A get shows what is overdue and not yet removed")
    func overdue() throws {
        var garden = Garden()
        try garden.set("/a", "x", expiration: 1)
        #expect(garden.tree.get("/a", recursive: false) == .success(.file(.file("x", created: 1, expiration: 1))))
    }
}

@Suite("v2-keys.md §7: the index")
struct IndexTests {
    @Test("A change that changes nothing moves it by one; so does an entry of the cluster")
    func moves() throws {
        var garden = Garden()
        #expect(garden.tree.skipIndex() == 1)
        try garden.set("/a", "x")
        try garden.make(.update, "/a", "x")
        #expect(garden.tree.index == 3)
        #expect(garden.tree.skipIndex() == 4)
        #expect(try garden.set("/a").index == 5)
    }

    @Test("A tree goes on from the index it is opened with")
    func goesOn() throws {
        var garden = Garden()
        garden.tree = KeyTree(table: MemoryNodeTable(), index: 41)
        #expect(try garden.set("/a").node == .file("", created: 42))
    }

    @Test("Changes of children do not touch the indexes of their directory")
    func directories() throws {
        var garden = Garden()
        try garden.set("/d/a")
        try garden.set("/d/b")
        try garden.make(.delete, "/d/a")
        #expect(garden["/d"] == .directory(created: 1))
    }
}
