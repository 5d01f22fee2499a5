import ArgumentParser
import Foundation
import ProcessStart
import Recovery

/// Exit codes: 0 clean; 1 something is wrong, or refused; 2 could not look, bad usage included.
@main
struct Main {
    static func main() async {
        StandardDescriptors.open()
        guard let arguments = ProcessArguments.all else {
            StandardDescriptors.writeError("etcliteutl: " + ProcessArguments.unknown)
            exit(2)
        }
        do {
            var command = try Etcliteutl.parseAsRoot(Array(arguments.dropFirst()))
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as RecoveryError {
            Output.fail(error)
        } catch let code as ExitCode {
            exit(code.rawValue)
        } catch {
            // Help and version come here too.
            guard Etcliteutl.exitCode(for: error).isSuccess else {
                Output.standardError(Etcliteutl.fullMessage(for: error))
                exit(2)
            }
            Output.print(Etcliteutl.message(for: error))
            exit(0)
        }
    }
}

struct Etcliteutl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "etcliteutl",
        abstract: "Looks into the data directory of etclite, and makes new ones from it. Its input is never changed.",
        discussion: """
            A server may be running on a directory that is looked at or backed up.
            Exit codes: 0 clean; 1 found something wrong, or refused; 2 could not look (bad usage included).
            """,
        subcommands: [
            StatusCommand.self, LogCommand.self, ListCommand.self, GetCommand.self, CheckCommand.self, BackupCommand.self,
            RestoreCommand.self, ReplayCommand.self, CompactCommand.self, CompletionCommand.self,
        ])
}
