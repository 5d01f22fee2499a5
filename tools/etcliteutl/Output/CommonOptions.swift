import ArgumentParser
import Recovery
import Storage

/// What every command takes.
struct CommonOptions: ParsableArguments {
    @Flag(help: "Print JSON with stable keys instead of text.")
    var json = false

    @Flag(help: "Report progress on standard error also when it is not a terminal.")
    var progress = false

    func report() -> ProgressReport { ProgressPrinter(isWanted: progress).report }
}

/// A directory to look at.
struct DirectoryArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The data directory.", valueName: "dir"))
    var directory: String
}
