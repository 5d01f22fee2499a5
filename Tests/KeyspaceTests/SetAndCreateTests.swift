import Keyspace
import Testing

@Suite("v2-keys.md §4: set")
struct SetTests {
    @Test("A new file is made under the next index and has no previous node")
    func newFile() throws {
        var garden = Garden()
        let event = try garden.set("/a", "one", expiration: 5000)
        let node = TreeNode.file("one", created: 1, expiration: 5000)
        #expect(event == Event(.set, index: 1, path: "/a", node: node, previous: nil, time: 1000))
        #expect(garden["/a"] == node)
        #expect(garden.tree.index == 1)
    }

    @Test("Missing parents are made in the same change, with its index and without its TTL")
    func parents() throws {
        var garden = Garden()
        try garden.mkdir("/a")
        try garden.set("/a/b/c/d", "x", expiration: 5000)
        #expect(garden["/a"] == .directory(created: 1))
        #expect(garden["/a/b"] == .directory(created: 2))
        #expect(garden["/a/b/c"] == .directory(created: 2))
        #expect(garden["/a/b/c/d"] == .file("x", created: 2, expiration: 5000))
        #expect(garden.tree.index == 2)
    }

    @Test("An existing file is replaced by a new node: created moves and the TTL is gone")
    func replace() throws {
        var garden = Garden()
        try garden.set("/a", "one", expiration: 5000)
        let event = try garden.set("/a", "two")
        #expect(event.previous == .file("one", created: 1, expiration: 5000))
        #expect(event.node == .file("two", created: 2))
        #expect(garden["/a"] == .file("two", created: 2))
    }

    @Test("A directory replaces a file and ignores the value")
    func directoryOverFile() throws {
        var garden = Garden()
        try garden.set("/a", "one")
        let event = try garden.make(.set, "/a", "ignored") { $0.isDirectory = true }
        #expect(event.previous == .file("one", created: 1))
        #expect(event.node == .directory(created: 2))
        #expect(garden["/a"] == .directory(created: 2))
    }

    @Test("A directory is not replaced, neither by a file nor by a directory", arguments: [false, true])
    func overDirectory(isDirectory: Bool) throws {
        var garden = Garden()
        try garden.mkdir("/a")
        garden.refuses(.notAFile("/a"), .set, "/a", "x") { $0.isDirectory = isDirectory }
    }

    @Test("A file in the middle of the path refuses, near or far, and nothing is made")
    func belowFile() throws {
        var garden = Garden()
        try garden.set("/d/f", "x")
        garden.refuses(.notADirectory("/d/f"), .set, "/d/f/a")
        garden.refuses(.notADirectory("/d/f"), .set, "/d/f/a/b/c")
        #expect(garden.paths == ["/d", "/d/f"])
    }
}

@Suite("v2-keys.md §4: create and POST")
struct CreateTests {
    @Test("Create makes a file or a directory, with parents")
    func create() throws {
        var garden = Garden()
        let file = try garden.make(.create, "/a/b", "x") { $0.expiration = 5000 }
        #expect(
            file == Event(
                .create, index: 1, path: "/a/b", node: .file("x", created: 1, expiration: 5000), previous: nil,
                time: 1000))
        let directory = try garden.make(.create, "/a/c", "ignored") { $0.isDirectory = true }
        #expect(directory.node == .directory(created: 2))
        #expect(garden.paths == ["/a", "/a/b", "/a/c"])
    }

    @Test("Create refuses what exists, of any kind")
    func exists() throws {
        var garden = Garden()
        try garden.set("/d/f")
        garden.refuses(.keyAlreadyExists("/d/f"), .create, "/d/f")
        garden.refuses(.keyAlreadyExists("/d"), .create, "/d") { $0.isDirectory = true }
    }

    @Test("A file in the path comes before everything else")
    func belowFile() throws {
        var garden = Garden()
        try garden.set("/f")
        garden.refuses(.notADirectory("/f"), .create, "/f/a")
        garden.refuses(.notADirectory("/f"), .createInOrder, "/f")
        garden.refuses(.notADirectory("/f"), .createInOrder, "/f/a/b")
    }

    @Test("A child in order is named after the index of the change, in 20 digits")
    func inOrder() throws {
        var garden = Garden()
        try garden.set("/other")
        let first = try garden.make(.createInOrder, "/queue", "x")
        #expect(first.path == "/queue/00000000000000000002")
        #expect(first.action == .create)
        #expect(first.previous == nil)
        #expect(garden["/queue"] == .directory(created: 2))
        let second = try garden.make(.createInOrder, "/queue") { $0.isDirectory = true }
        #expect(second.path == "/queue/00000000000000000003")
        #expect(second.node == .directory(created: 3))
    }

    @Test("A child in order can be made in the root")
    func inOrderInRoot() throws {
        var garden = Garden()
        #expect(try garden.make(.createInOrder, "/").path == "/00000000000000000001")
    }

    @Test("A name that is taken stays taken until another change moves the index")
    func inOrderTaken() throws {
        var garden = Garden()
        try garden.set("/q/00000000000000000002", "mine")
        garden.refuses(.keyAlreadyExists("/q/00000000000000000002"), .createInOrder, "/q")
        garden.refuses(.keyAlreadyExists("/q/00000000000000000002"), .createInOrder, "/q")
        try garden.set("/other")
        #expect(try garden.make(.createInOrder, "/q").path == "/q/00000000000000000003")
    }

    @Test("The name has its 20 digits up to the end of the index")
    func inOrderLarge() throws {
        var garden = Garden()
        garden.tree = KeyTree(table: MemoryNodeTable(), index: UInt64.max - 1)
        #expect(try garden.make(.createInOrder, "/q").path == "/q/18446744073709551615")
    }
}
