import Keyspace
import Testing

@Suite("v2-keys.md §4 and §9: update")
struct UpdateTests {
    @Test("Update writes value and TTL and keeps created")
    func file() throws {
        var garden = Garden()
        try garden.set("/a", "one", expiration: 5000)
        let event = try garden.make(.update, "/a", "two") { $0.expiration = 7000 }
        #expect(event.action == .update)
        #expect(event.previous == .file("one", created: 1, expiration: 5000))
        #expect(event.node == .file("two", created: 1, modified: 2, expiration: 7000))
        #expect(garden["/a"] == event.node)
    }

    @Test("Update without value and TTL leaves an empty file for ever")
    func empty() throws {
        var garden = Garden()
        try garden.set("/a", "one", expiration: 5000)
        try garden.make(.update, "/a")
        #expect(garden["/a"] == .file("", created: 1, modified: 2))
    }

    @Test("A file stays a file, whatever dir says")
    func stays() throws {
        var garden = Garden()
        try garden.set("/a", "one")
        try garden.make(.update, "/a", "two") { $0.isDirectory = true }
        #expect(garden["/a"] == .file("two", created: 1, modified: 2))
    }

    @Test("Of a directory only the TTL changes: the answer shows the new index, the stored one stays")
    func directory() throws {
        var garden = Garden()
        try garden.mkdir("/d")
        let event = try garden.make(.update, "/d") { $0.expiration = 5000 }
        #expect(event.previous == .directory(created: 1))
        #expect(event.node == .directory(created: 1, modified: 2, expiration: 5000))
        #expect(garden["/d"] == .directory(created: 1, modified: 1, expiration: 5000))
        #expect(garden.tree.index == 2)
        try garden.make(.update, "/d")
        #expect(garden["/d"] == .directory(created: 1, modified: 1))
    }

    @Test("A directory takes no value")
    func directoryWithValue() throws {
        var garden = Garden()
        try garden.mkdir("/d")
        garden.refuses(.notAFile("/d"), .update, "/d", "x")
    }

    @Test("Update makes nothing")
    func missing() throws {
        var garden = Garden()
        garden.refuses(.keyNotFound("/a"), .update, "/a/b/c", "x")
    }
}

@Suite("v2-keys.md §4: compare and swap")
struct CompareAndSwapTests {
    @Test("A condition that holds lets the swap through, which keeps created and drops the TTL")
    func swap() throws {
        var garden = Garden()
        try garden.set("/a", "one", expiration: 5000)
        let byValue = try garden.make(.compareAndSwap, "/a", "two") { $0.previousValue = bytes("one") }
        #expect(byValue.action == .compareAndSwap)
        #expect(byValue.previous == .file("one", created: 1, expiration: 5000))
        #expect(byValue.node == .file("two", created: 1, modified: 2))
        let byIndex = try garden.make(.compareAndSwap, "/a", "three") {
            $0.previousIndex = 2
            $0.isDirectory = true
        }
        #expect(byIndex.node == .file("three", created: 1, modified: 3))
        try garden.make(.compareAndSwap, "/a", "four") {
            $0.previousIndex = 3
            $0.previousValue = bytes("three")
        }
        #expect(garden["/a"] == .file("four", created: 1, modified: 4))
    }

    @Test(
        "The refusal names each condition that failed and no other",
        arguments: [Command.Operation.compareAndSwap, .compareAndDelete])
    func mismatch(operation: Command.Operation) throws {
        var garden = Garden()
        try garden.set("/a", "two")
        let value = Refusal.Mismatch(given: bytes("one"), actual: bytes("two"))
        let index = Refusal.Mismatch<UInt64>(given: 7, actual: 1)
        garden.refuses(.compareFailed(value: value, index: nil), operation, "/a") { $0.previousValue = bytes("one") }
        garden.refuses(.compareFailed(value: nil, index: index), operation, "/a") { $0.previousIndex = 7 }
        garden.refuses(.compareFailed(value: value, index: index), operation, "/a") {
            $0.previousValue = bytes("one")
            $0.previousIndex = 7
        }
        garden.refuses(.compareFailed(value: nil, index: index), operation, "/a") {
            $0.previousValue = bytes("two")
            $0.previousIndex = 7
        }
        garden.refuses(.compareFailed(value: value, index: nil), operation, "/a") {
            $0.previousValue = bytes("one")
            $0.previousIndex = 1
        }
    }

    @Test("The index of the condition is the modified one")
    func modifiedIndex() throws {
        var garden = Garden()
        try garden.set("/a", "one")
        try garden.make(.update, "/a", "two")
        garden.refuses(.compareFailed(value: nil, index: .init(given: 1, actual: 2)), .compareAndSwap, "/a") {
            $0.previousIndex = 1
        }
    }

    @Test("Missing comes before everything, and a directory before the conditions")
    func missingAndDirectory() throws {
        var garden = Garden()
        try garden.mkdir("/d")
        garden.refuses(.keyNotFound("/x"), .compareAndSwap, "/x/y", "v") { $0.previousIndex = 9 }
        garden.refuses(.notAFile("/d"), .compareAndSwap, "/d", "v") { $0.previousIndex = 9 }
    }
}
