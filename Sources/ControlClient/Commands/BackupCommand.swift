import HTTPTransport
import Recovery

/// `backup` (ctl.md A5): a directory with the keys of another, of one member with new ids.
enum BackupCommand {
    @Sendable static func run(_ invocation: Invocation) async throws {
        let flags = invocation.flags
        for name in ["wal-dir", "backup-wal-dir"] where !flags.string(name).isEmpty {
            throw CommandFailure(lines: "--\(name): the log lies in the data directory here; leave the flag out")
        }
        let (source, target) = (flags.string("data-dir"), flags.string("backup-dir"))
        guard !target.isEmpty else { throw CommandFailure(lines: "no backup directory provided (use --backup-dir)") }
        let report: Restore.Report
        do {
            report = source.isEmpty ? try await download(invocation, into: target) : try Restore.backUp(source, into: target)
        } catch let error as RecoveryError {
            throw CommandFailure(lines: error.description)
        } catch let failure as ClusterFailure {
            throw CommandFailure(failure, status: CommandFailure.serverError)
        }
        let backup = report.backup
        invocation.console.errorLine(
            "backed up member \(backup.member) of cluster \(backup.cluster) at index \(backup.applied.index) to \(target), "
                + "as member \(report.identity.member) of cluster \(report.identity.cluster)")
    }

    /// From the first endpoint that has one to give. How long that takes nobody knows.
    private static func download(_ invocation: Invocation, into target: String) async throws -> Restore.Report {
        let client = try await invocation.connectWithoutSync()
        return try await Restore.backUp(into: target) { incoming in
            try await client.withAnswer(to: "/etclite/backup") { head, body in
                guard head.status == 200 else {
                    throw CommandFailure(lines: "the server answers \(head.status) \(head.reason) when it is asked for a backup")
                }
                for try await chunk in body { try incoming.append(chunk) }
                return head.headers["X-Etclite-State-Hash"]
            }
        }
    }
}
