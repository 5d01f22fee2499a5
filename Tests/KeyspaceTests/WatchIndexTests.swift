import Keyspace
import TestSupport
import Testing

private func event(
    _ action: Event.Action, _ path: TreePath, isRefresh: Bool = false, below: [TreePath] = []
) -> Event {
    var event = Event(
        action, index: 9, path: path, node: TreeNode(isDirectory: true, created: 1, modified: 9), previous: nil,
        time: 0, isRefresh: isRefresh)
    event.removedBelow = below
    return event
}

extension WatchIndex<Int> {
    fileprivate func heard(_ event: Event) -> [Int] { watchers(of: event).map(\.id) }
}

@Suite("v2-keys.md §13: watchers of a live event")
struct WatchIndexTests {
    @Test("They come in the order of registration, whatever they watch")
    func order() {
        var index = WatchIndex<Int>()
        index.register(1, path: "/", recursive: true)
        index.register(2, path: "/a/b", recursive: false)
        index.register(3, path: "/a", recursive: true)
        index.register(4, path: "/a/b", recursive: true)
        index.register(5, path: "/a", recursive: false)
        index.register(6, path: "/a/b", recursive: false)
        #expect(index.heard(event(.set, "/a/b")) == [1, 2, 3, 4, 6])
        #expect(index.heard(event(.set, "/a/_b")) == [])
        #expect(index.heard(event(.set, "/a/b/c/_d")) == [])
    }

    @Test("The removal of the watched key itself comes twice on a stream, and only that")
    func twice() {
        var index = WatchIndex<Int>()
        index.register(1, path: "/d", recursive: false)
        index.register(2, path: "/d", recursive: true)
        index.register(3, path: "/", recursive: true)
        index.register(4, path: "/d/x", recursive: false)
        for action in [Event.Action.delete, .compareAndDelete, .expire] {
            let heard = index.watchers(of: event(action, "/d", below: ["/d/x"]))
            #expect(heard.map(\.id) == [1, 2, 3, 4])
            #expect(heard.map(\.isTwice) == [true, true, false, false])
        }
        #expect(index.watchers(of: event(.set, "/d")).map(\.isTwice) == [false, false, false])
    }

    @Test("Paths removed with a directory tell their watchers, recursive or not, hidden or not, once")
    func removedBelow() {
        var index = WatchIndex<Int>()
        index.register(1, path: "/d/_h/x", recursive: false)
        index.register(2, path: "/d/y", recursive: true)
        index.register(3, path: "/d/y/z", recursive: true)
        index.register(4, path: "/d/not-there", recursive: true)
        #expect(index.heard(event(.delete, "/d", below: ["/d/_h/x", "/d/y", "/d/y/z"])) == [1, 2, 3])
    }

    @Test("Refreshes and entries of the cluster reach nobody")
    func silent() {
        var index = WatchIndex<Int>()
        index.register(1, path: "/", recursive: true)
        index.register(2, path: "/a", recursive: false)
        #expect(index.heard(event(.set, "/a", isRefresh: true)) == [])
        #expect(index.heard(event(.cluster, "/")) == [])
    }

    @Test("Who leaves hears no more; an id that comes again moves to the end")
    func leaving() {
        var index = WatchIndex<Int>()
        for id in 1...5 { index.register(id, path: "/a", recursive: false) }
        #expect(index.unregister(2) == "/a")
        #expect(index.unregister(2) == nil)
        #expect(index.heard(event(.set, "/a")) == [1, 3, 4, 5])
        index.register(1, path: "/a", recursive: false)
        #expect(index.heard(event(.set, "/a")) == [3, 4, 5, 1])
        index.register(3, path: "/b", recursive: true)
        #expect(index.heard(event(.set, "/a")) == [4, 5, 1])
        #expect(index.count == 4)
        #expect(index.pathCount == 2)
        for id in 1...5 { index.unregister(id) }
        #expect(index.isEmpty)
        #expect(index.pathCount == 0)
        #expect(index.heard(event(.set, "/a")) == [])
    }

    @Test("It agrees with the rule of the event for random watchers and keys", arguments: 1...20)
    func agrees(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let names = ["a", "b", "_h", "ab"]
        func path(_ random: inout SeededGenerator, _ depths: ClosedRange<Int>) -> TreePath {
            let depth = Int.random(in: depths, using: &random)
            return TreePath((0..<depth).map { _ in "/" + random.pick(names) }.joined())
        }
        var index = WatchIndex<Int>()
        var watchers: [(id: Int, path: TreePath, recursive: Bool)] = []
        for id in 0..<200 {
            if random.chance(30), !watchers.isEmpty {
                let leaving = watchers.remove(at: Int.random(in: watchers.indices, using: &random))
                #expect(index.unregister(leaving.id) == leaving.path)
            }
            let watcher = (id, path(&random, 0...4), random.chance(50))
            watchers.append(watcher)
            index.register(watcher.0, path: watcher.1, recursive: watcher.2)
            let change = event(.set, path(&random, 1...4))
            let expected = watchers.filter { change.concerns(path: $0.path, recursive: $0.recursive) }.map(\.id)
            #expect(index.heard(change) == expected)
        }
        #expect(index.count == watchers.count)
    }

    @Test("Thousands of watchers of one key leave without moving each other up")
    func stampede() {
        var index = WatchIndex<Int>()
        for id in 0..<20_000 { index.register(id, path: "/a", recursive: false) }
        for id in 0..<20_000 where id != 7 { index.unregister(id) }
        #expect(index.heard(event(.set, "/a")) == [7])
    }
}

@Suite("v2-keys.md §13: watched paths")
struct WatchedPathsTests {
    @Test("What lies below is found by whole segments and in byte order")
    func below() {
        var watched = WatchedPaths()
        for path: TreePath in ["/d/b", "/d", "/d/a/x", "/d-e", "/d0", "/d/a", "/", "/e"] { watched.add(path) }
        #expect(watched.below("/d") == ["/d/a", "/d/a/x", "/d/b"])
        #expect(watched.below("/d/a/x") == [])
        #expect(watched.below("/") == ["/d", "/d-e", "/d/a", "/d/a/x", "/d/b", "/d0", "/e"])
    }

    @Test("A path is watched until its last watcher leaves")
    func counts() {
        var watched = WatchedPaths()
        watched.add("/a")
        watched.add("/a")
        watched.remove("/a")
        watched.remove("/never")
        #expect(watched.below("/") == ["/a"])
        #expect(!watched.isEmpty)
        watched.remove("/a")
        watched.remove("/a")
        #expect(watched.isEmpty)
        #expect(watched.below("/") == [])
    }
}
