import ArgumentParser
import Foundation
import Keyspace
import Recovery

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "List the entries of the log: who changed what, when.",
        discussion: "A line an entry: index, term, time, client, operation, path, value. With --json an object a line.")

    @OptionGroup var target: DirectoryArgument
    @OptionGroup var common: CommonOptions

    @Option(help: "The first index to show.")
    var from: UInt64?

    @Option(help: "The last index to show.")
    var to: UInt64?

    @Option(help: "Only changes of keys whose path begins with this.")
    var key: String?

    @Option(help: "Only entries at or after this time: 2026-11-21T11:22:33Z, 2026-11-21, or so long ago: 90s, 15m, 2h30m, 3d.")
    var since: String?

    @Option(help: "Only what this user has asked for.")
    var user: String?

    func run() throws {
        var listing = LogListing(
            from: from, to: to, pathPrefix: key.map { Array($0.utf8) }, user: user.map { Array($0.utf8) })
        if let since {
            let now = Int64(Date().timeIntervalSince1970) * 1_000_000_000
            guard let time = TimeText.parse(since, now: now) else {
                throw ValidationError("--since \(since): neither a time (2026-11-21T11:22:33Z) nor a length of time (15m)")
            }
            listing.since = time
        }
        try listing.visit(target.directory) { line in
            if common.json { Output.print(json: EntryJSON(line)) } else { Output.print(text(line)) }
            return true
        }
    }

    private func text(_ line: LogListing.Line) -> String {
        let payload = line.entry.payload
        let time = payload.time == 0 ? "-" : TimeText.format(payload.time)
        let client = payload.client.isEmpty ? "-" : Output.visible(payload.client)
        var words = ["\(line.entry.index)", "\(line.entry.term)", time, client]
        words.append(line.operation.isEmpty ? line.kind : line.operation)
        if !payload.path.isEmpty || line.command != nil { words.append(Output.visible(TreePath(clean: payload.path))) }
        if line.command?.isDirectory == true { words.append("(directory)") }
        if !payload.value.isEmpty { words.append(Output.visible(payload.value)) }
        return words.joined(separator: " ")
    }
}

private struct EntryJSON: Encodable {
    let index, term: UInt64
    let kind, operation, path, value, client: String
    let pathBase64, valueBase64: String?
    let time: String?
    let request: UInt64
    let dir, recursive, refresh: Bool?
    let expiration, prevValue: String?
    let prevIndex: UInt64?

    init(_ line: LogListing.Line) {
        let payload = line.entry.payload
        index = line.entry.index.value
        term = line.entry.term.value
        kind = line.kind
        operation = line.operation
        let (path, value) = (BytesJSON(payload.path), BytesJSON(payload.value))
        (self.path, pathBase64) = (path.text, path.base64)
        (self.value, valueBase64) = (value.text, value.base64)
        client = String(decoding: payload.client, as: UTF8.self)
        time = payload.time == 0 ? nil : TimeText.format(payload.time)
        request = payload.request
        let command = line.command
        dir = command?.isDirectory
        recursive = command?.isRecursive
        refresh = command?.isRefresh
        expiration = command?.expiration.map(TimeText.format)
        prevValue = command?.previousValue.map { String(decoding: $0, as: UTF8.self) }
        prevIndex = command.flatMap { $0.previousIndex == 0 ? nil : $0.previousIndex }
    }
}
