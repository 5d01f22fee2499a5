import ArgumentParser
import Recovery
import Storage

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say what a data directory is and how far it has come.",
        discussion: "What the log has beyond the tree is applied in memory, as a server does at its start.")

    @OptionGroup var target: DirectoryArgument
    @OptionGroup var common: CommonOptions

    func run() throws {
        let status = try DirectoryStatus(target.directory, progress: common.report())
        if common.json { return Output.print(json: StatusJSON(status)) }
        Output.print(table: rows(status))
    }

    private func rows(_ status: DirectoryStatus) -> [(String, String)] {
        let first = status.first.map { "\($0)" } ?? "none"
        let unstored = status.applied.index.value - status.stored.value
        var rows = [
            ("directory", status.path), ("member", status.identity.member.description),
            ("cluster", status.identity.cluster.description), ("origin", status.identity.origin),
            ("server", server(status.holder)), ("cluster version", status.clusterVersion),
            ("term", "\(status.term)"), ("log", "\(status.entries) entries, \(first) to \(status.last)"),
            ("committed", "at least \(status.commit)"),
            ("applied", "\(status.applied.index)" + (unstored > 0 ? " (\(unstored) of it in the log only)" : "")),
            ("v2 index", "\(status.keysIndex)"), ("state hash", status.stateHash.hex),
            ("last entry", status.lastTime.map(TimeText.format) ?? "no time known"),
            ("keys", "\(status.nodes) nodes, \(status.directories) of them directories"), ("events", "\(status.events)"),
            ("schema", "log \(status.logSchema), tree \(status.treeSchema)"),
        ]
        for member in status.members where !member.isRemoved {
            let name = member.name.isEmpty ? "not started" : Output.visible(Array(member.name.utf8))
            rows.append(("member \(member.id)", "\(name), \(member.peerURLs.joined(separator: ","))"))
        }
        for file in status.files { rows.append((file.name, "\(file.bytes) bytes")) }
        return rows
    }

    private func server(_ holder: DataDirectory.Holder) -> String {
        switch holder {
        case .nobody: "not running"
        case .process(let pid): "running, pid \(pid.map(String.init) ?? "unknown")"
        case .unknown: "unknown: this system does not list its locks"
        }
    }
}

private struct StatusJSON: Encodable {
    struct MemberJSON: Encodable {
        let id: String
        let name: String
        let peerURLs: [String]
        let clientURLs: [String]
        let learner: Bool
        let removed: Bool
    }

    struct FileJSON: Encodable {
        let name: String
        let bytes: Int
    }

    struct SchemaJSON: Encodable {
        let log: Int
        let tree: Int
    }

    struct ServerJSON: Encodable {
        /// Absent when the system does not say.
        let running: Bool?
        let pid: Int?
    }

    let directory, memberID, clusterID, origin, clusterVersion, stateHash: String
    let server: ServerJSON
    let members: [MemberJSON]
    let term, commitIndex, lastIndex, storedIndex, appliedIndex, appliedTerm, keysIndex: UInt64
    let firstIndex: UInt64?
    let lastEntryTime: String?
    let nodes, directories, entries, events: UInt64
    let files: [FileJSON]
    let schema: SchemaJSON

    init(_ status: DirectoryStatus) {
        directory = status.path
        memberID = status.identity.member.description
        clusterID = status.identity.cluster.description
        origin = status.identity.origin
        clusterVersion = status.clusterVersion
        stateHash = status.stateHash.hex
        switch status.holder {
        case .nobody: server = ServerJSON(running: false, pid: nil)
        case .process(let pid): server = ServerJSON(running: true, pid: pid)
        case .unknown: server = ServerJSON(running: nil, pid: nil)
        }
        members = status.members.map {
            MemberJSON(
                id: $0.id.description, name: $0.name, peerURLs: $0.peerURLs, clientURLs: $0.clientURLs,
                learner: $0.isLearner, removed: $0.isRemoved)
        }
        term = status.term.value
        commitIndex = status.commit.value
        firstIndex = status.first?.value
        lastIndex = status.last.value
        storedIndex = status.stored.value
        appliedIndex = status.applied.index.value
        appliedTerm = status.applied.term.value
        keysIndex = status.keysIndex
        lastEntryTime = status.lastTime.map(TimeText.format)
        nodes = status.nodes
        directories = status.directories
        entries = status.entries
        events = status.events
        files = status.files.map { FileJSON(name: $0.name, bytes: $0.bytes) }
        schema = SchemaJSON(log: status.logSchema, tree: status.treeSchema)
    }
}
