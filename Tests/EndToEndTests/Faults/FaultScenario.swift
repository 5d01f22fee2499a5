import TestSupport

/// Something that goes wrong for a while beside a cluster's ordinary clients, and is over when `run` returns.
struct FaultScenario: Sendable {
    enum Kind: Sendable {
        /// Only clients misbehave: every member serves the others all the time. Any of these may go on beside all others.
        case clients
        /// Members, their disks or what lies between them: one at a time.
        case members
    }

    let name: String
    let kind: Kind
    let run: @Sendable (FaultStage, inout SeededGenerator) throws -> Void

    init(_ name: String, _ kind: Kind, _ run: @escaping @Sendable (FaultStage, inout SeededGenerator) throws -> Void) {
        self.name = name
        self.kind = kind
        self.run = run
    }

    static let all: [FaultScenario] = (ofReaders + ofSenders + ofManyKeys + ofDisks + ofMembers).filter {
        !awaited.contains($0.name)
    }
    /// What members do not stand yet.
    private static let awaited: Set<String> = [
        "streams that nobody reads", "hundreds of streams that nobody reads, and one large value after another",
        "curl killed while it streams", "streams that are stopped, reset, ended in one direction",
        "2,000 requests for a large value, and no answer read", "hundreds of large requests that lack their last byte",
        "paths of thousands of levels", "one full disk after another, the leader's first",
        "a member that comes back while clients hold all the others' descriptors",
        "requests at a member that is not ready, whose clients leave",
    ]
    static let ofClients = all.filter { $0.kind == .clients }
    static let ofTheRest = all.filter { $0.kind == .members }
}
