import HTTPTransport
import Keyspace
import NIOCore
import Testing

@testable import ClientAPI

@Suite("From parameters to the operation (v2-keys.md §3, 4)")
struct KeysQueryTests {
    private func operation(_ verb: HTTPVerb, _ text: String) throws -> KeysOperation {
        var parameters = KeysParameters()
        let bytes = Array(text.utf8)
        try parameters.add(bytes.span)
        return try KeysQuery.operation(verb, TreePath("/a"), parameters) { 1_000_000_000 }
    }

    private func command(_ verb: HTTPVerb, _ text: String) throws -> Command {
        guard case .change(let command, _) = try operation(verb, text) else { throw V2Error.field("no change") }
        return command
    }

    @Test(
        "prevExist and conditions choose the operation of PUT",
        arguments: [
            ("", Command.Operation.set), ("prevExist=false", .create), ("prevExist=true", .update),
            ("prevValue=x", .compareAndSwap), ("prevIndex=3", .compareAndSwap), ("prevIndex=0", .set),
            ("prevExist=true&prevValue=x", .compareAndSwap), ("prevExist=false&prevValue=x", .create),
            ("prevExist=true&prevIndex=0", .update),
        ])
    func put(text: String, expected: Command.Operation) throws {
        #expect(try command(.put, text).operation == expected)
    }

    @Test("Conditions are carried where they count, and nowhere else")
    func conditions() throws {
        let swap = try command(.put, "prevValue=x&prevIndex=7&value=y")
        #expect(swap.previousValue == Array("x".utf8))
        #expect(swap.previousIndex == 7)
        for ignored in [try command(.put, "prevExist=false&prevValue=x&prevIndex=7"), try command(.post, "prevValue=x")] {
            #expect(ignored.previousValue == nil)
            #expect(ignored.previousIndex == 0)
        }
        #expect(try command(.delete, "prevIndex=0").operation == .delete)
        #expect(try command(.delete, "prevIndex=1").operation == .compareAndDelete)
        #expect(try command(.delete, "prevExist=false&prevValue=x").operation == .compareAndDelete)
    }

    @Test("dir makes directories, and only where something is made")
    func directories() throws {
        for (verb, text) in [(HTTPVerb.put, "dir=1&value=x"), (.put, "dir=1&prevExist=false"), (.post, "dir=1&value=x")] {
            let made = try command(verb, text)
            #expect(made.isDirectory)
            #expect(made.value.isEmpty)
        }
        for text in ["dir=1&prevExist=true&value=x", "dir=1&prevValue=y&value=x"] {
            let changed = try command(.put, text)
            #expect(!changed.isDirectory)
            #expect(changed.value == Array("x".utf8))
        }
        let removal = try command(.delete, "dir=false&recursive=true")
        #expect(removal.isRecursive)
    }

    @Test(
        "A TTL becomes a time, and one that does not fit becomes never",
        arguments: [
            ("ttl=0", Int64?.some(1_000_000_000)), ("ttl=5", 6_000_000_000), ("ttl=005", 6_000_000_000), ("ttl=", nil),
            ("", nil), ("ttl=9223372035", 9_223_372_036_000_000_000), ("ttl=9223372036", nil),
            ("ttl=18446744073709551615", nil),
        ])
    func ttl(text: String, expected: Int64?) throws {
        #expect(try command(.put, text).expiration == expected)
    }

    @Test("refresh counts where something is there to refresh")
    func refresh() throws {
        #expect(try command(.put, "refresh=true&ttl=1").isRefresh)
        #expect(try command(.put, "refresh=true&ttl=1&prevExist=true").isRefresh)
        #expect(try command(.put, "refresh=true&ttl=1&prevIndex=3").isRefresh)
        #expect(!(try command(.put, "refresh=true&ttl=1&prevExist=false")).isRefresh)
        #expect(!(try command(.post, "refresh=true&ttl=1")).isRefresh)
    }

    @Test("Reads and watches")
    func reads() throws {
        #expect(try operation(.get, "") == .read(recursive: false, quorum: false))
        #expect(try operation(.get, "recursive=1&quorum=1") == .read(recursive: true, quorum: true))
        #expect(try operation(.head, "quorum=true") == .read(recursive: false, quorum: false))
        #expect(try operation(.get, "wait=true&quorum=true") == .read(recursive: false, quorum: true))
        #expect(try operation(.get, "stream=true&waitIndex=3") == .read(recursive: false, quorum: false))
        let watch = KeysOperation.watch(recursive: true, isStream: true, since: 3)
        #expect(try operation(.get, "wait=true&stream=true&waitIndex=3&recursive=true") == watch)
    }

    @Test("Every spelling of a bool, and nothing else")
    func bools() throws {
        for text in ["1", "t", "T", "TRUE", "true", "True"] {
            #expect(try operation(.get, "recursive=\(text)") == .read(recursive: true, quorum: false))
        }
        for text in ["0", "f", "F", "FALSE", "false", "False"] {
            #expect(try operation(.get, "recursive=\(text)") == .read(recursive: false, quorum: false))
        }
        for text in ["", "yes", "tRue", "2", " true", "true%00"] {
            #expect(throws: V2Error.self) { try operation(.get, "recursive=\(text)") }
        }
    }

    @Test("Durations as Go prints them")
    func durations() {
        for (nanoseconds, text) in [
            (Int64(0), "0s"), (7, "7ns"), (1_500, "1.5µs"), (12_300_000, "12.3ms"), (59_100_000_000, "59.1s"),
            (60_000_000_000, "1m0s"), (17_365_913_009_175, "4h49m25.913009175s"), (3_600_000_000_001, "1h0m0.000000001s"),
        ] {
            var buffer = ByteBuffer()
            buffer.writeDuration(nanoseconds)
            #expect(String(buffer: buffer) == text)
        }
    }

    @Test("Paths are cleaned as Go cleans them")
    func paths() {
        for (path, clean) in [
            ("", "/"), ("/", "/"), ("//", "/"), ("/a//b/", "/a/b/"), ("/a/./b/..", "/a"), ("/../..", "/"),
            ("/a/../", "/"), ("/.../..a/", "/.../..a/"), ("a", "/a"),
        ] {
            #expect(String(decoding: RequestPath.cleaned(Array(path.utf8)), as: UTF8.self) == clean, "\(path)")
            let bytes = Array(clean.utf8)
            #expect(RequestPath.decode(bytes.span)?.isClean == true)
        }
    }
}
