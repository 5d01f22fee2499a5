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

    @Test("What is said before there is a logger has the form that is asked for, by flag, variable or file")
    func beforeTheLogger() throws {
        let file = Surroundings.memory(files: ["/c.yml": "log-format: json\n"])
        for outcome in [
            Outcome(["--log-format=json", "--heartbeat-interval=0"]), Outcome(["--heartbeat-interval=0"], environment: ["ETCD_LOGGER": "zap"]),
            Outcome(["--config-file=/c.yml", "--heartbeat-interval=0"], surroundings: file),
        ] {
            #expect(outcome.code == 1)
            let lines = outcome.stderr.split(separator: "\n").map { try? JSONDecoder().decode([String: String].self, from: Data($0.utf8)) }
            #expect(lines.allSatisfy { $0 != nil }, "\(outcome.stderr)")
            #expect(lines.last??["msg"]?.hasPrefix("error verifying flags, --heartbeat-interval must be >0") == true)
        }
        #expect(Outcome(["--log-format=nosuch"]).code == 2)
    }

    @Test("A long text is cut, between characters or not, and the line stays an object")
    func cut() throws {
        let line = line(String(repeating: "漢", count: 20_000))
        let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        #expect(object["msg"]?.hasSuffix("... (60000 bytes)") == true)
        #expect(line.utf8.count < 17_000)
    }
}
