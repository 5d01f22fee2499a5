import ArgumentParser
import Recovery
import Storage

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Make the tree once more from the log, in a new directory with the same identity.",
        discussion: """
            A log that reaches back to its first entry is applied from there, also when tree.db is lost or damaged, and on the way \
            the state hash must be that of the stored tree. Of a log that was cut only the end can be applied: the stored tree is \
            taken and proven, and what follows it in the log is applied; earlier states are out of reach.
            """)

    @OptionGroup var target: DirectoryArgument
    @OptionGroup var common: CommonOptions

    @Option(help: ArgumentHelp("The directory to make.", valueName: "dir"))
    var into: String

    @Option(help: "The last entry to apply; what follows is not in the new directory.")
    var to: UInt64?

    func run() throws {
        let report = try Replay(to: to).run(target.directory, into: into, progress: common.report())
        if common.json { return Output.print(json: ReplayJSON(report)) }
        let start =
            switch report.start {
            case .empty: "the first entry"
            case .storedTree(let index): "the stored tree at entry \(index): the log was cut"
            }
        let proof =
            switch report.isSameAsSource {
            case true?: "the same as the stored tree"
            case false?: "not the same as the stored tree"
            case nil: "not compared: the stored tree is missing, unreadable or further on"
            }
        Output.print(table: [
            ("replayed", report.directory), ("from", start), ("entries applied", "\(report.replayed)"),
            ("applied", "\(report.state.applied.index)"), ("v2 index", "\(report.state.keysIndex)"),
            ("state hash", report.state.hash.hex), ("proof", proof),
        ])
    }
}

struct CompactCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact", abstract: "Make a small copy: the same identity and tree, without the log that led to it.",
        discussion: "A server should not be running: what it writes meanwhile is not in the copy.")

    @OptionGroup var target: DirectoryArgument
    @OptionGroup var common: CommonOptions

    @Option(help: ArgumentHelp("The directory to make.", valueName: "dir"))
    var into: String

    func run() throws {
        let report = try Compaction.run(target.directory, into: into, progress: common.report())
        if common.json { return Output.print(json: CompactJSON(report)) }
        Output.print(table: [
            ("compacted", report.directory), ("applied", "\(report.state.applied.index)"),
            ("v2 index", "\(report.state.keysIndex)"), ("state hash", "\(report.state.hash.hex), before and after"),
            ("entries cut", "\(report.entriesCut)"), ("bytes", "\(report.bytesBefore) before, \(report.bytesAfter) after"),
        ])
    }
}

private struct ReplayJSON: Encodable {
    let directory, start, stateHash: String
    let startIndex, replayed, appliedIndex, keysIndex: UInt64
    let sameAsSource: Bool?

    init(_ report: Replay.Report) {
        directory = report.directory
        switch report.start {
        case .empty: (start, startIndex) = ("empty", 0)
        case .storedTree(let index): (start, startIndex) = ("storedTree", index.value)
        }
        stateHash = report.state.hash.hex
        replayed = report.replayed
        appliedIndex = report.state.applied.index.value
        keysIndex = report.state.keysIndex
        sameAsSource = report.isSameAsSource
    }
}

private struct CompactJSON: Encodable {
    let directory, stateHash: String
    let appliedIndex, keysIndex, entriesCut: UInt64
    let bytesBefore, bytesAfter: Int

    init(_ report: Compaction.Report) {
        directory = report.directory
        stateHash = report.state.hash.hex
        appliedIndex = report.state.applied.index.value
        keysIndex = report.state.keysIndex
        entriesCut = report.entriesCut
        bytesBefore = report.bytesBefore
        bytesAfter = report.bytesAfter
    }
}
