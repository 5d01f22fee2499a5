import ArgumentParser
import Recovery

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make a data directory from a backup: a new cluster of one new member.",
        discussion: """
            Keys, indexes and terms go on from the backup; the history of events is dropped, so watchers of the old cluster are \
            told that their index is cleared (error 401).
            """)

    @Argument(help: "The backup.")
    var file: String

    @Option(help: ArgumentHelp("The directory to make.", valueName: "dir"))
    var dataDir: String

    @Option(help: "The name of the member.")
    var name = "default"

    @Option(help: "Makes the identities, so that a restoration can be repeated. Drawn at random when not given.")
    var initialClusterToken: String?

    @Option(help: "URLs for its peers, joined by commas.")
    var initialAdvertisePeerUrls = "http://localhost:2380"

    @Option(help: "Add this to the v2 index, when clients have seen higher ones than the backup has.")
    var bumpIndex: UInt64 = 0

    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard !peerURLs.isEmpty, peerURLs.allSatisfy({ $0.hasPrefix("http://") || $0.hasPrefix("https://") }) else {
            throw ValidationError("--initial-advertise-peer-urls: URLs must begin with http:// or https://")
        }
    }

    private var peerURLs: [String] { initialAdvertisePeerUrls.split(separator: ",").map(String.init) }

    func run() throws {
        let token = initialClusterToken ?? String(UInt64.random(in: 0...UInt64.max), radix: 16)
        let report = try Restore(name: name, peerURLs: peerURLs, token: token, indexesSkipped: bumpIndex)
            .run(file, into: dataDir)
        if common.json { return Output.print(json: RestoreJSON(report)) }
        Output.print(table: [
            ("restored", report.directory), ("member", report.identity.member.description),
            ("cluster", report.identity.cluster.description), ("origin", report.identity.origin),
            ("applied", "\(report.backup.applied.index)"), ("v2 index", "\(report.keysIndex)"),
            ("keys", "\(report.backup.nodes) nodes"), ("state hash", report.backup.stateHash),
        ])
    }
}

private struct RestoreJSON: Encodable {
    let directory, memberID, clusterID, origin, stateHash: String
    let appliedIndex, appliedTerm, keysIndex: UInt64
    let nodes: Int

    init(_ report: Restore.Report) {
        directory = report.directory
        memberID = report.identity.member.description
        clusterID = report.identity.cluster.description
        origin = report.identity.origin
        stateHash = report.backup.stateHash
        appliedIndex = report.backup.applied.index.value
        appliedTerm = report.backup.applied.term.value
        keysIndex = report.keysIndex
        nodes = report.backup.nodes
    }
}
