import Keyspace
import Testing

private func event(
    _ action: Event.Action, _ path: TreePath, isDirectory: Bool = false, isRefresh: Bool = false
) -> Event {
    Event(
        action, index: 9, path: path, node: TreeNode(isDirectory: isDirectory, created: 1, modified: 9),
        previous: nil, time: 0, isRefresh: isRefresh)
}

@Suite("v2-keys.md §13: who is told")
struct LiveMatchingTests {
    @Test("The watcher of the key itself, always")
    func same() {
        for path: TreePath in ["/a", "/_h", "/a/_x/y"] {
            #expect(event(.set, path).concerns(path: path, recursive: false))
            #expect(event(.set, path).concerns(path: path, recursive: true))
        }
    }

    @Test("Watchers above it only when they are recursive")
    func above() {
        #expect(event(.set, "/a/b/c").concerns(path: "/a", recursive: true))
        #expect(event(.set, "/a/b/c").concerns(path: "/", recursive: true))
        #expect(!event(.set, "/a/b/c").concerns(path: "/a", recursive: false))
        #expect(!event(.set, "/a/b/c").concerns(path: "/", recursive: false))
    }

    @Test("Names count by whole segments")
    func segments() {
        #expect(!event(.set, "/ab").concerns(path: "/a", recursive: true))
        #expect(!event(.set, "/a").concerns(path: "/a/b", recursive: true))
        #expect(!event(.set, "/b").concerns(path: "/a", recursive: true))
    }

    @Test("A hidden segment below the watched key hides the change, one above does not")
    func hidden() {
        #expect(!event(.set, "/a/_x").concerns(path: "/a", recursive: true))
        #expect(!event(.set, "/a/_x/y").concerns(path: "/a", recursive: true))
        #expect(!event(.set, "/_x").concerns(path: "/", recursive: true))
        #expect(!event(.set, "/a/b/_x/y").concerns(path: "/", recursive: true))
        #expect(event(.set, "/a/_x/y").concerns(path: "/a/_x", recursive: true))
        #expect(event(.set, "/a/b_/c_d").concerns(path: "/a", recursive: true))
    }

    @Test("A removed directory concerns names below it only through removedBelow")
    func removal() {
        #expect(!event(.delete, "/d", isDirectory: true).concerns(path: "/d/x", recursive: true))
        #expect(!event(.expire, "/d", isDirectory: true).concerns(path: "/d2", recursive: false))
    }

    @Test("Refreshes and entries of the cluster reach nobody")
    func silent() {
        #expect(!event(.set, "/a", isRefresh: true).concerns(path: "/a", recursive: true))
        #expect(!event(.cluster, "/a").concerns(path: "/a", recursive: true))
        #expect(!event(.cluster, "/").concerns(path: "/", recursive: true))
    }
}

@Suite("v2-keys.md §13: the past")
struct HistoryMatchingTests {
    @Test("The key itself, and keys below a recursive watch, by whole segments")
    func plain() {
        #expect(event(.set, "/a").matchesHistory(path: "/a", recursive: false))
        #expect(event(.set, "/a/b").matchesHistory(path: "/a", recursive: true))
        #expect(event(.set, "/a/b").matchesHistory(path: "/", recursive: true))
        #expect(!event(.set, "/a/b").matchesHistory(path: "/a", recursive: false))
        #expect(!event(.set, "/ab").matchesHistory(path: "/a", recursive: true))
        #expect(!event(.set, "/a").matchesHistory(path: "/a/b", recursive: true))
    }

    @Test("Hidden keys do match a recursive watch above them")
    func hidden() {
        #expect(event(.set, "/a/_x/y").matchesHistory(path: "/a", recursive: true))
        #expect(event(.set, "/_x").matchesHistory(path: "/", recursive: true))
    }

    @Test(
        "The removal of a directory matches every text that begins with its key",
        arguments: [Event.Action.delete, .expire])
    func directoryRemoval(action: Event.Action) {
        let removal = event(action, "/d", isDirectory: true)
        #expect(removal.matchesHistory(path: "/d/never/there", recursive: false))
        #expect(removal.matchesHistory(path: "/d2", recursive: false))
        #expect(!removal.matchesHistory(path: "/e", recursive: true))
        #expect(!removal.matchesHistory(path: "/", recursive: false))
    }

    @Test("The removal of a file and the making of a directory match no more than their key")
    func others() {
        #expect(!event(.delete, "/d").matchesHistory(path: "/d/x", recursive: false))
        #expect(!event(.expire, "/d").matchesHistory(path: "/d2", recursive: false))
        #expect(!event(.set, "/d", isDirectory: true).matchesHistory(path: "/d2", recursive: false))
    }

    @Test("Refreshes and entries of the cluster are passed over")
    func silent() {
        #expect(!event(.update, "/a", isRefresh: true).matchesHistory(path: "/a", recursive: true))
        #expect(!event(.cluster, "/").matchesHistory(path: "/", recursive: true))
    }
}
