import Glibc
import Logging
import Synchronization
import Testing

@testable import Server

@Suite("Log lines that nobody takes")
struct LineWriterTests {
    /// A pipe of 4 KiB; nothing that is read or written through it waits.
    private final class Pipe {
        private(set) var ends: [Int32] = [0, 0]

        init(nonBlocking: Bool = false) throws {
            try #require(pipe(&ends) == 0)
            if nonBlocking { try #require(fcntl(ends[1], F_SETFL, O_WRONLY | Int32(O_NONBLOCK)) == 0) }
            try #require(fcntl(ends[1], 1031 /* F_SETPIPE_SZ */, 4096) >= 4096)
        }

        deinit { for end in ends { close(end) } }

        private var bytes: [UInt8] = []

        /// The next line; nil when none comes.
        func line() -> String? {
            var chunk = [UInt8](repeating: 0, count: 4096)
            while true {
                if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                    defer { bytes.removeSubrange(...end) }
                    return String(decoding: bytes[..<end], as: UTF8.self)
                }
                var ready = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
                guard poll(&ready, 1, 10_000) == 1 else { return nil }
                let count = read(ends[0], &chunk, chunk.count)
                guard count > 0 else { return nil }
                bytes += chunk.prefix(count)
            }
        }

        /// All up to that one.
        func lines(upTo last: String) -> [String] {
            var lines: [String] = []
            while lines.last != last, let line = line() { lines.append(line) }
            return lines
        }
    }

    private func writer(_ descriptor: Int32, bytesMax: Int = 1 << 20) -> LineWriter {
        LineWriter(descriptor: descriptor, bytesMax: bytesMax) { Array("missing \($0)\n".utf8) }
    }

    private func write(_ text: String, to writer: LineWriter, isLast: Bool = false) {
        writer.write(Array((text + "\n").utf8), isLast: isLast)
    }

    @Test("Nobody waits; what found no room is counted in its place; last words find room")
    func fullPipe() throws {
        let pipe = try Pipe()
        let writer = writer(pipe.ends[1], bytesMax: 64 << 10)
        for number in 0..<100_000 { write("line \(number)", to: writer) }
        #expect(!writer.flush(milliseconds: 10))
        write("last words", to: writer, isLast: true)
        let lines = pipe.lines(upTo: "last words")
        var expected = 0
        var missing = 0
        for line in lines.dropLast() {
            if line.hasPrefix("missing ") {
                let count = try #require(Int(line.dropFirst(8)))
                missing += count
                expected += count
            } else {
                #expect(line == "line \(expected)")
                expected += 1
            }
        }
        #expect(lines.last == "last words" && expected == 100_000 && missing > 90_000, "\(expected) \(missing)")
        // The thread may have had room for a moment in between, but not for every second line.
        #expect(lines.count { $0.hasPrefix("missing ") } < 100)
        #expect(writer.flush(milliseconds: 10_000))
    }

    @Test("A count is told also when no line comes after it")
    func trailingCount() throws {
        let pipe = try Pipe()
        let writer = writer(pipe.ends[1], bytesMax: 8 << 10)
        let filler = String(repeating: "x", count: 1000)
        for _ in 0..<100 { write(filler, to: writer) }
        var seen = 0
        while seen < 100, let line = pipe.line() { seen += line.hasPrefix("missing ") ? Int(line.dropFirst(8)) ?? 0 : 1 }
        #expect(seen == 100)
    }

    @Test("A descriptor that somebody has told not to wait loses nothing")
    func nonBlocking() throws {
        let pipe = try Pipe(nonBlocking: true)
        let writer = writer(pipe.ends[1])
        for number in 0..<2000 { write("line \(number)", to: writer) }
        #expect(pipe.lines(upTo: "line 1999") == (0..<2000).map { "line \($0)" })
    }

    @Test("Lines that a full disk refused are counted when there is room again")
    func fullDisk() throws {
        let pipe = try Pipe()
        let descriptor = open("/dev/full", O_WRONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let writer = writer(descriptor)
        for _ in 0..<3 { write("lost", to: writer) }
        #expect(writer.flush(milliseconds: 10_000))
        try #require(dup2(pipe.ends[1], descriptor) == descriptor)
        write("here", to: writer)
        #expect(pipe.lines(upTo: "here") == ["missing 3", "here"])
    }

    @Test("The level of all loggers changes at once, by etcd's names", .serialized, arguments: [("DEBUG", true), ("5", true), ("E", false), ("WARN", nil)])
    func threshold(name: String, showsDebug: Bool?) throws {
        let before = LogThreshold.current
        defer { LogThreshold.current = before }
        let writer = writer(-1)
        let logger = Logger(label: "embed") { LineLogHandler(label: $0, writers: [writer]) }
        #expect(logger.logLevel == before)
        #expect(LogThreshold.set(named: name) == (showsDebug != nil))
        #expect((logger.logLevel <= .debug) == (showsDebug ?? (before <= .debug)))
    }

    @Test("A line has a bound")
    func longLine() {
        let line = ClassicLogLine.bytes(
            level: .info, label: "embed", text: String(repeating: "k", count: 1 << 20), seconds: 0, microseconds: 0)
        #expect(line.count < 17 << 10 && String(decoding: line, as: UTF8.self).hasSuffix("kk... (1048576 bytes)\n"))
    }
}
