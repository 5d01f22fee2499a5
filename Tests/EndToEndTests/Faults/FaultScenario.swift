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

    static let all: [FaultScenario] = ofReaders + ofSenders + ofManyKeys + ofDisks + ofMembers
    static let ofClients = all.filter { $0.kind == .clients }
    static let ofTheRest = all.filter { $0.kind == .members }
}
