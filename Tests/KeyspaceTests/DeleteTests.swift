import Keyspace
import Testing

@Suite("v2-keys.md §4: delete")
struct DeleteTests {
    @Test("A file goes whatever the flags are; its parents stay, even when empty")
    func file() throws {
        var garden = Garden()
        try garden.set("/d/f", "x", expiration: 5000)
        let event = try garden.make(.delete, "/d/f")
        let gone = TreeNode(isDirectory: false, created: 1, modified: 2)
        #expect(
            event == Event(
                .delete, index: 2, path: "/d/f", node: gone, previous: .file("x", created: 1, expiration: 5000),
                time: 1000))
        #expect(garden.paths == ["/d"])
        try garden.set("/d/g")
        try garden.make(.delete, "/d/g") {
            $0.isDirectory = true
            $0.isRecursive = true
        }
        #expect(garden.paths == ["/d"])
    }

    @Test("A directory needs dir, and to be empty")
    func directory() throws {
        var garden = Garden()
        try garden.set("/d/f")
        garden.refuses(.notAFile("/d"), .delete, "/d")
        garden.refuses(.directoryNotEmpty("/d"), .delete, "/d") { $0.isDirectory = true }
        try garden.make(.delete, "/d/f")
        garden.refuses(.notAFile("/d"), .delete, "/d")
        let event = try garden.make(.delete, "/d") { $0.isDirectory = true }
        #expect(event.node == .directory(created: 1, modified: 3))
        #expect(event.previous == .directory(created: 1))
        #expect(garden.paths == [])
    }

    @Test("A hidden child makes a directory not empty")
    func hidden() throws {
        var garden = Garden()
        try garden.set("/d/_f")
        garden.refuses(.directoryNotEmpty("/d"), .delete, "/d") { $0.isDirectory = true }
    }

    @Test("Recursive implies dir, takes everything below in one change, and nothing beside it")
    func recursive() throws {
        var garden = Garden()
        try garden.set("/d/a/b/c")
        try garden.set("/d/_h")
        try garden.set("/d-e")
        try garden.set("/d0")
        let event = try garden.make(.delete, "/d") { $0.isRecursive = true }
        #expect(event.index == 5)
        #expect(garden.tree.index == 5)
        #expect(garden.paths == ["/d-e", "/d0"])
    }

    @Test("The first missing component is named, or the file in the way")
    func missing() throws {
        var garden = Garden()
        try garden.set("/d/f")
        garden.refuses(.keyNotFound("/x"), .delete, "/x/y/z")
        garden.refuses(.keyNotFound("/d/x"), .delete, "/d/x/y/z")
        garden.refuses(.keyNotFound("/d/x"), .delete, "/d/x")
        garden.refuses(.notADirectory("/d/f"), .delete, "/d/f/y")
        garden.refuses(.notADirectory("/d/f"), .delete, "/d/f/y/z")
    }

    @Test("Compare and delete takes a file whose conditions hold")
    func compareAndDelete() throws {
        var garden = Garden()
        try garden.set("/a", "x")
        let event = try garden.make(.compareAndDelete, "/a") {
            $0.previousValue = bytes("x")
            $0.previousIndex = 1
        }
        #expect(event.action == .compareAndDelete)
        #expect(event.node == TreeNode(isDirectory: false, created: 1, modified: 2))
        #expect(event.previous == .file("x", created: 1))
        #expect(garden.paths == [])
    }

    @Test("Compare and delete never takes a directory, flags do not help")
    func compareAndDeleteDirectory() throws {
        var garden = Garden()
        try garden.mkdir("/d")
        garden.refuses(.notAFile("/d"), .compareAndDelete, "/d") {
            $0.previousIndex = 1
            $0.isDirectory = true
            $0.isRecursive = true
        }
        garden.refuses(.keyNotFound("/x"), .compareAndDelete, "/x") { $0.previousIndex = 1 }
    }
}

@Suite("v2-keys.md §13: watched paths below a removed directory")
struct RemovedBelowTests {
    @Test("They are named where a node existed, hidden or not, in byte order")
    func named() throws {
        var garden = Garden(watching: "/d/b", "/d", "/d/_h/x", "/d/never", "/d2", "/d/a", "/")
        try garden.set("/d/a")
        try garden.set("/d/b/c")
        try garden.set("/d/_h/x")
        try garden.set("/d2")
        let event = try garden.make(.delete, "/d") { $0.isRecursive = true }
        #expect(event.removedBelow == ["/d/_h/x", "/d/a", "/d/b"])
    }

    @Test("A file has nothing below it, watched or not")
    func file() throws {
        var garden = Garden(watching: "/f/x")
        try garden.set("/f")
        #expect(try garden.make(.delete, "/f") { $0.isRecursive = true }.removedBelow == [])
    }
}

@Suite("v2-keys.md §4: the root")
struct RootTests {
    @Test(
        "It cannot be changed",
        arguments: [Command.Operation.set, .create, .update, .compareAndSwap, .delete], [false, true])
    func readOnly(operation: Command.Operation, flags: Bool) {
        var garden = Garden()
        garden.refuses(.rootIsReadOnly, operation, "/", "x") {
            $0.isDirectory = flags
            $0.isRecursive = flags
            $0.isRefresh = flags && operation == .set
            $0.previousIndex = 3
        }
    }

    @Test("Compare and delete finds that it is not a file, and names nothing")
    func compareAndDelete() {
        var garden = Garden()
        garden.refuses(.notAFile(nil), .compareAndDelete, "/") { $0.previousIndex = 3 }
    }
}
