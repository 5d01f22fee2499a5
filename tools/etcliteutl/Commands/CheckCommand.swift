import ArgumentParser
import Recovery
import Storage

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check everything in a data directory.",
        discussion: """
            The chain of checksums over every entry, SQLite's structure and the checksum of every page, the schema, every node \
            and the state hash, events, positions. While the log reaches back to its beginning the tree is made from it once \
            more and compared. Exits with 1 when something is wrong.
            """)

    @OptionGroup var target: DirectoryArgument
    @OptionGroup var common: CommonOptions

    func run() throws {
        let result = try Check.run(target.directory, progress: common.report())
        if common.json {
            Output.print(json: CheckJSON(result, directory: target.directory))
        } else {
            for finding in result.findings { Output.print("wrong: " + Output.visible(Array(finding.description.utf8))) }
            for note in result.notes { Output.print("note: " + note) }
            if result.findings.isEmpty { Output.print(summary(result)) }
        }
        if !result.findings.isEmpty { throw ExitCode(1) }
    }

    private func summary(_ result: FullVerification) -> String {
        var text = "clean: \(result.entries) entries, \(result.nodes) nodes, \(result.events) events"
        if let applied = result.applied { text += ", applied \(applied)" }
        if let hash = result.stateHash { text += ", state hash \(hash.hex)" }
        return text + (result.isProvenByLog ? ", the same as the log makes it" : "")
    }
}

private struct CheckJSON: Encodable {
    struct FindingJSON: Encodable {
        let file, place, problem: String
    }

    let directory: String
    let clean: Bool
    let findings: [FindingJSON]
    let notes: [String]
    let entries, nodes, events: UInt64
    let firstIndex, lastIndex, commitIndex, appliedIndex: UInt64?
    let stateHash: String?
    let provenByLog: Bool

    init(_ result: FullVerification, directory: String) {
        self.directory = directory
        clean = result.findings.isEmpty
        findings = result.findings.map { FindingJSON(file: $0.file, place: $0.place, problem: $0.problem) }
        notes = result.notes
        entries = result.entries
        nodes = result.nodes
        events = result.events
        firstIndex = result.first?.value
        lastIndex = result.last?.value
        commitIndex = result.commit?.value
        appliedIndex = result.applied?.value
        stateHash = result.stateHash?.hex
        provenByLog = result.isProvenByLog
    }
}
