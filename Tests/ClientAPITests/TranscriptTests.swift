import Foundation
import TestSupport
import Testing

/// `Transcripts/*.http`: requests and the bytes of their answers, section by section of v2-keys.md.
///
/// A file starts with an empty store. A step begins with `###`, then comes the request (host, lengths and the content
/// type of a form are added), `<<<`, and the answer without `Date` and CORS lines; a body that does not end in a newline
/// ends in a backslash. Lines with `!` before the request set the scene. `REWRITE=1` writes the answers anew: read the
/// difference before you keep it.
@Suite("Transcripts")
struct TranscriptTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Transcripts")

    static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .filter { $0.hasSuffix(".http") }.sorted()

    @Test("There are transcripts")
    func exist() { #expect(Self.names.count >= 9) }

    @Test("Answers are what the transcript says", arguments: names)
    func transcript(name: String) throws {
        let file = Self.folder.appendingPathComponent(name)
        let text = try String(contentsOf: file, encoding: .utf8)
        let server = try APIServer()
        var written = ""
        var steps = text.components(separatedBy: "\n### ")
        written += steps.removeFirst()
        for step in steps {
            let parts = step.components(separatedBy: "\n<<<\n")
            let request = parts[0].trimmingCharacters(in: .newlines)
            let expected = parts.count > 1 ? parts[1].trimmingCharacters(in: .newlines) : ""
            let answer = try Self.play(request, on: server)
            if ProcessInfo.processInfo.environment["REWRITE"] == nil {
                #expect(answer == expected, "\(request)")
            }
            written += "\n### \(request)\n<<<\n\(answer)\n"
        }
        if ProcessInfo.processInfo.environment["REWRITE"] != nil {
            try written.write(to: file, atomically: true, encoding: .utf8)
        }
    }

    private static func play(_ step: String, on server: APIServer) throws -> String {
        var lines = step.components(separatedBy: "\n").dropFirst()
        var toPeer = false
        while let line = lines.first, line.hasPrefix("!") {
            lines.removeFirst()
            let words = line.dropFirst().split(separator: " ").map(String.init)
            if words[0] == "peer" { toPeer = true } else { try server.set(words) }
        }
        let first = (lines.popFirst() ?? "").split(separator: " ", maxSplits: 1).map(String.init)
        var fields = ""
        while let line = lines.popFirst(), !line.isEmpty { fields += line + "\r\n" }
        let body = lines.joined(separator: "\n").trimmingCharacters(in: .newlines)
        let isForm = !body.isEmpty && !fields.lowercased().contains("content-type")
        if !body.isEmpty, !isForm { fields += "Content-Length: \(body.utf8.count)\r\n" }
        let client = try RawClient(port: toPeer ? server.peerPort : server.port)
        let request = APIServer.request(first[0], first[1], form: isForm ? body : nil, fields: fields)
        client.send(isForm ? request : request + body)
        var answer = try client.answer(isHead: first[0] == "HEAD")
        let cors = answer.components(separatedBy: "\n").filter { $0.hasPrefix("Access-Control-") }
        if !toPeer { #expect(cors.count == 3, "\(step)") }
        for line in cors { answer = answer.replacingOccurrences(of: line + "\n", with: "") }
        if answer.hasSuffix("\n\n") { return answer.trimmingCharacters(in: .newlines) }
        return answer.hasSuffix("\n") ? String(answer.dropLast()) : answer + "\\"
    }
}

extension APIServer {
    fileprivate func set(_ words: [String]) throws {
        let number = words.count > 1 ? Int64(words[1]) : nil
        switch (words[0], number) {
        case ("milliseconds", .some(let number)):
            try onLoop { replica in
                let now = replica.statusNow() + number * 1_000_000
                replica.statusNow = { now }
            }
        case ("expire", _): try onLoop { $0.expire() }
        case ("leader", .some(let number)): try onLoop { $0.leader = UInt64(number) }
        case ("full", .some(let number)): try onLoop { $0.isDiskFull = number != 0 }
        case ("timeout", .some(let number)): try onLoop { $0.unavailable = number == 0 ? nil : .timedOut }
        default: Issue.record("unknown scene: \(words)")
        }
    }
}
