import Keyspace
import Testing

@Suite("v2-keys.md §9 and §10: listings and hidden keys")
struct ReadTests {
    @Test("A file is read as it is stored")
    func file() throws {
        var garden = Garden()
        try garden.set("/a", "x")
        #expect(garden.tree.get("/a", recursive: true) == .success(.file(.file("x", created: 1))))
    }

    @Test("The root is always there and has no indexes")
    func root() {
        let garden = Garden()
        #expect(garden.tree.get("/", recursive: false) == .success(.directory(nil, [])))
        #expect(garden.tree.get("/", recursive: true) == .success(.directory(nil, [])))
    }

    @Test("A directory shows its direct children by the bytes of their names")
    func direct() throws {
        var garden = Garden()
        for name in ["b", "a/x", "a-b", "Z", "é", "a0"] { try garden.set(TreePath("/d/" + name)) }
        #expect(try garden.listing("/d") == ["1 /d/Z", "1 /d/a", "1 /d/a-b", "1 /d/a0", "1 /d/b", "1 /d/é"])
        guard case .success(.directory(let node, let children)) = garden.tree.get("/d", recursive: false) else {
            Issue.record("not a directory")
            return
        }
        #expect(node == .directory(created: 1))
        #expect(children[1] == ListedNode(depth: 1, path: "/d/a", node: .directory(created: 2)))
    }

    @Test("Recursive shows the whole tree, each directory before what lies in it")
    func recursive() throws {
        var garden = Garden()
        try garden.set("/a/b/c")
        try garden.set("/a/b-c")
        try garden.set("/a/b/a")
        try garden.mkdir("/e")
        #expect(
            try garden.listing("/", recursive: true) == [
                "1 /a", "2 /a/b", "3 /a/b/a", "3 /a/b/c", "2 /a/b-c", "1 /e",
            ])
    }

    @Test("A hidden child is left out with everything below it; an underscore elsewhere has no effect")
    func hidden() throws {
        var garden = Garden()
        for path: TreePath in ["/_top", "/d/_h/x", "/d/_f", "/d/a_", "/d/a_b", "/d/s/_x/y", "/d/s/z"] {
            try garden.set(path)
        }
        #expect(try garden.listing("/", recursive: true) == ["1 /d", "2 /d/a_", "2 /d/a_b", "2 /d/s", "3 /d/s/z"])
        #expect(try garden.listing("/d") == ["1 /d/a_", "1 /d/a_b", "1 /d/s"])
    }

    @Test("Asked for by name a hidden directory shows its children that are not hidden")
    func hiddenByName() throws {
        var garden = Garden()
        try garden.set("/_h/a/b")
        try garden.set("/_h/_no")
        #expect(try garden.listing("/_h", recursive: true) == ["1 /_h/a", "2 /_h/a/b"])
    }

    @Test("Missing names the first missing component; a file in the path comes first")
    func missing() throws {
        var garden = Garden()
        try garden.set("/d/f", "x")
        #expect(garden.tree.get("/x/y/z", recursive: false) == .failure(.keyNotFound("/x")))
        #expect(garden.tree.get("/d/x/y/z", recursive: false) == .failure(.keyNotFound("/d/x")))
        #expect(garden.tree.get("/d/x/y", recursive: false) == .failure(.keyNotFound("/d/x")))
        #expect(garden.tree.get("/d/x", recursive: false) == .failure(.keyNotFound("/d/x")))
        #expect(garden.tree.get("/d/f/y", recursive: false) == .failure(.notADirectory("/d/f")))
        #expect(garden.tree.get("/d/f/y/z/w", recursive: false) == .failure(.notADirectory("/d/f")))
    }

    @Test("A tree as deep as a long path can make it is listed and removed")
    func deep() throws {
        var garden = Garden()
        let path = TreePath(String(repeating: "/a", count: 1500))
        try garden.set(path, "x")
        #expect(try garden.listing("/", recursive: true).count == 1500)
        try garden.make(.delete, "/a") { $0.isRecursive = true }
        #expect(garden.paths == [])
    }
}
