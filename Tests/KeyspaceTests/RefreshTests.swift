import Keyspace
import Testing

@Suite("v2-keys.md §12: refresh")
struct RefreshTests {
    @Test("With set the value is kept, created moves, and the event is marked")
    func set() throws {
        var garden = Garden()
        try garden.set("/a", "one", expiration: 5000)
        let event = try garden.make(.set, "/a") {
            $0.isRefresh = true
            $0.expiration = 9000
        }
        #expect(event.action == .set)
        #expect(event.isRefresh)
        #expect(event.previous == .file("one", created: 1, expiration: 5000))
        #expect(event.node == .file("one", created: 2, expiration: 9000))
        #expect(garden["/a"] == event.node)
        #expect(garden.tree.index == 2)
    }

    @Test("With set it makes nothing, and a directory is refused")
    func setRefused() throws {
        var garden = Garden()
        try garden.set("/d/f")
        garden.refuses(.keyNotFound("/x"), .set, "/x/y") { $0.isRefresh = true }
        garden.refuses(.keyNotFound("/d/x"), .set, "/d/x") { $0.isRefresh = true }
        garden.refuses(.notADirectory("/d/f"), .set, "/d/f/x") { $0.isRefresh = true }
        garden.refuses(.notAFile("/d"), .set, "/d") { $0.isRefresh = true }
    }

    @Test("With update value and created are kept")
    func update() throws {
        var garden = Garden()
        try garden.set("/a", "one")
        let event = try garden.make(.update, "/a") {
            $0.isRefresh = true
            $0.expiration = 9000
        }
        #expect(event.isRefresh)
        #expect(event.node == .file("one", created: 1, modified: 2, expiration: 9000))
        #expect(garden["/a"] == event.node)
    }

    @Test("With update it works on directories")
    func updateDirectory() throws {
        var garden = Garden()
        try garden.mkdir("/d")
        let event = try garden.make(.update, "/d") {
            $0.isRefresh = true
            $0.expiration = 9000
        }
        #expect(event.isRefresh)
        #expect(event.node == .directory(created: 1, modified: 2, expiration: 9000))
        #expect(garden["/d"] == .directory(created: 1, modified: 1, expiration: 9000))
    }

    @Test("With compare and swap the value is kept and the conditions count")
    func swap() throws {
        var garden = Garden()
        try garden.set("/a", "one")
        garden.refuses(.compareFailed(value: nil, index: .init(given: 2, actual: 1)), .compareAndSwap, "/a") {
            $0.isRefresh = true
            $0.previousIndex = 2
        }
        let event = try garden.make(.compareAndSwap, "/a") {
            $0.isRefresh = true
            $0.previousIndex = 1
            $0.expiration = 9000
        }
        #expect(event.isRefresh)
        #expect(garden["/a"] == .file("one", created: 1, modified: 2, expiration: 9000))
    }
}
