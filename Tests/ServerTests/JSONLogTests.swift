import Foundation
import Logging
import Testing

@testable import Server

@Suite("JSON log lines")
struct JSONLogTests {
    private func line(_ text: String, _ metadata: Logger.Metadata = [:]) -> String {
        String(
            decoding: JSONLogLine.bytes(
                level: .warning, label: "etcdserver", text: text, metadata: metadata, seconds: 1_795_248_453, microseconds: 88), as: UTF8.self)
    }

    @Test("A line has etcd's names, the time in UTC, and metadata behind them")
    func form() {
        #expect(
            line("slow", ["took": "5ms", "msg": "not this"])
                == #"{"level":"warn","ts":"2026-11-21T08:07:33.000088Z","logger":"etcdserver","msg":"slow","took":"5ms"}"# + "\n")
    }

    @Test("Whatever the text is, the line is one object that says it", arguments: ["a\"b\\c", "new\nline\u{0}\u{1f}\t\u{7f}", "é漢🎉", "{\"level\":\"x\"}"])
    func escapes(text: String) throws {
        let line = line(text)
        #expect(line.split(separator: "\n").count == 1 && line.hasSuffix("}\n"))
        let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        #expect(object["msg"] == text && object["level"] == "warn")
    }

    @Test("A long text is cut, between characters or not, and the line stays an object")
    func cut() throws {
        let line = line(String(repeating: "漢", count: 20_000))
        let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        #expect(object["msg"]?.hasSuffix("... (60000 bytes)") == true)
        #expect(line.utf8.count < 17_000)
    }
}
