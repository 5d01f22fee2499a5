import Glibc
import Logging
import Testing

@testable import Server

@Suite("Classic log lines (server.md §11)")
struct ClassicLogTests {
    private func lines(_ level: Logger.Level, _ body: (Logger) -> Void) throws -> [String] {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let writer = LineWriter(descriptor: ends[1]) { _ in [] }
        var logger = Logger(label: "embed") { LineLogHandler(label: $0, writers: [writer]) }
        logger.logLevel = level
        body(logger)
        #expect(writer.flush(milliseconds: 10_000))
        close(ends[1])
        defer { close(ends[0]) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = read(ends[0], &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").map { String($0) }
    }

    @Test("Time, level, package, text")
    func format() {
        let line = ClassicLogLine.bytes(
            level: .info, label: "embed", text: "name = solo", seconds: 1_795_248_453, microseconds: 688)
        let text = String(decoding: line, as: UTF8.self)
        #expect(text.wholeMatch(of: /2026-11-2[01] \d\d:\d\d:33\.000688 I \| embed: name = solo\n/) != nil)
    }

    @Test("Levels, metadata and the threshold")
    func levels() throws {
        let lines = try lines(.debug) { logger in
            logger.trace("t")
            logger.debug("d")
            logger.info("i", metadata: ["b": "2", "a": "1"])
            logger.notice("n")
            logger.warning("w")
            logger.error("e")
            logger.critical("c")
        }
        #expect(
            lines.map { $0.dropFirst(27) } == [
                "D | embed: d", "I | embed: i a=1 b=2", "N | embed: n", "W | embed: w", "E | embed: e", "C | embed: c",
            ])
    }

    @Test("Text from clients cannot forge a line")
    func forgery() throws {
        let lines = try lines(.info) { $0.info("key /a\n2026 I | embed: forged\u{1b}[0m é") }
        #expect(lines.map { $0.dropFirst(27) } == ["I | embed: key /a\\x0a2026 I | embed: forged\\x1b[0m é"])
    }
}
