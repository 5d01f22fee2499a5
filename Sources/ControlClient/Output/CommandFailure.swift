/// Ends a command: what goes to stderr, and the exit status (ctl.md A1).
struct CommandFailure: Error, Equatable {
    static let badArguments: Int32 = 1
    static let badConnection: Int32 = 2
    static let noSuchCommand: Int32 = 3
    static let serverError: Int32 = 4
    static let clusterNotHealthy: Int32 = 5

    let text: String
    let status: Int32

    /// Lines as they are.
    init(lines: String, status: Int32 = badArguments) {
        text = lines + "\n"
        self.status = status
    }

    /// Text as it is, without a line end of its own.
    init(text: String, status: Int32) {
        self.text = text
        self.status = status
    }

    /// The line of the key commands: `Error:` and two blanks.
    init(error: String, status: Int32) {
        self.init(lines: "Error:  \(error)", status: status)
    }

    /// The same for a failed request, with the list of all attempts behind it when there were several places to try.
    init(_ failure: ClusterFailure, status: Int32) {
        self.init(text: "Error:  \(failure.description)\n" + (failure.detail.map { $0 + "\n" } ?? ""), status: status)
    }
}
