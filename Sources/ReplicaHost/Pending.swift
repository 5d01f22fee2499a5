import Keyspace
import Replica
import Storage
import Wire

/// What waits for a persist request.
struct AfterPersist {
    var messages: [PeerMessage]
    /// Requests that are answered then.
    var answers: [UInt64]
}

/// A change of the tree that a client of this member waits for.
struct PendingProposal {
    let request: UInt64
    /// Steady nanoseconds.
    let start: Int64
    let answer: (ProposalResult) -> Void
}

/// A change of the membership that a client of this member waits for.
struct PendingChange {
    enum Result {
        case applied(AppliedOutcome)
        case unavailable(Unavailable)
    }

    let request: UInt64
    let start: Int64
    private let tell: (Result) -> Void

    init(request: UInt64, start: Int64, tell: @escaping (Result) -> Void) {
        self.request = request
        self.start = start
        self.tell = tell
    }

    func answer(_ outcome: AppliedOutcome) { tell(.applied(outcome)) }
    func answer(_ result: Result) { tell(result) }
}

/// A read that waits for the word of a majority.
struct PendingRead {
    let number: UInt64
    let path: TreePath
    let isRecursive: Bool
    let start: Int64
    let answer: (ReadResult) -> Void
}
