import ArgumentParser
import Foundation
import Recovery
import Storage
import TLS

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Make a backup: one SQLite file, verified after it is written.",
        usage: "etcliteutl backup <dir> <file>\n       etcliteutl backup --endpoint <url> <file>",
        discussion: "From a data directory, on which a server may be running, or over HTTP from a running server.")

    @OptionGroup var common: CommonOptions

    @Option(help: "Take it from the server at this URL: http://127.0.0.1:2379")
    var endpoint: String?

    @Option(name: .customLong("ca-file"), help: "Trust servers with certificates of this authority.")
    var authorityFile: String?

    @Option(name: .customLong("cert-file"), help: "The certificate to show to the server.")
    var certificateFile: String?

    @Option(name: .customLong("key-file"), help: "The key of that certificate.")
    var keyFile: String?

    @Option(
        name: [.customLong("username"), .customShort("u")],
        help: "A user with the role root and the password, name:password; or in the variable ETCDCTL_USERNAME, which other users of the computer do not see.")
    var username: String?

    @Argument(help: ArgumentHelp("The data directory (without --endpoint), and the file to make.", valueName: "dir file"))
    var paths: [String]

    func validate() throws {
        guard paths.count == (endpoint == nil ? 2 : 1) else {
            throw ValidationError(endpoint == nil ? "give a data directory and a file" : "give one file")
        }
        guard (certificateFile == nil) == (keyFile == nil) else { throw ValidationError("give --cert-file and --key-file together") }
        guard endpoint == nil || credentials?.contains(":") != false else { throw ValidationError("give the user as name:password") }
    }

    /// As etcdctl has it, so that one variable serves both.
    private var credentials: String? {
        [username, ProcessInfo.processInfo.environment["ETCDCTL_USERNAME"]].compactMap { $0 }.first { !$0.isEmpty }
    }

    func run() async throws {
        let manifest: BackupManifest
        if let endpoint {
            var tls = TLSSettings()
            (tls.trustedCAFile, tls.certificateFile, tls.keyFile) = (authorityFile, certificateFile, keyFile)
            manifest = try await BackupDownload(endpoint: endpoint, tls: tls, credentials: credentials).run(to: paths[0], progress: common.report())
        } else {
            manifest = try Backup.make(of: paths[0], to: paths[1], progress: common.report())
        }
        let file = paths[paths.count - 1]
        if common.json { return Output.print(json: BackupJSON(manifest, file: file)) }
        Output.print(table: [
            ("backup", file), ("of member", "\(manifest.member) of cluster \(manifest.cluster)"),
            ("applied", "\(manifest.applied.index), term \(manifest.applied.term)"), ("v2 index", "\(manifest.keysIndex)"),
            ("last entry", manifest.time == 0 ? "no time known" : TimeText.format(manifest.time)),
            ("keys", "\(manifest.nodes) nodes"), ("state hash", manifest.stateHash),
            ("size", "\(FileOperations.size(file) ?? 0) bytes"),
        ])
    }
}

struct BackupJSON: Encodable {
    let file, memberID, clusterID, stateHash, created: String
    let appliedIndex, appliedTerm, keysIndex: UInt64
    let lastEntryTime: String?
    let schema, nodes, bytes: Int

    init(_ manifest: BackupManifest, file: String) {
        self.file = file
        memberID = manifest.member.description
        clusterID = manifest.cluster.description
        stateHash = manifest.stateHash
        created = manifest.created
        appliedIndex = manifest.applied.index.value
        appliedTerm = manifest.applied.term.value
        keysIndex = manifest.keysIndex
        lastEntryTime = manifest.time == 0 ? nil : TimeText.format(manifest.time)
        schema = manifest.schema
        nodes = manifest.nodes
        bytes = FileOperations.size(file) ?? 0
    }
}
