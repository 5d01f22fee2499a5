import Raft

/// What goes wrong next, and what an operator has to put right because of it.
struct Faults {
    let settings: SimulationSettings
    var chance: SimulatedChance
    private(set) var counts: [FaultKind: Int] = [:]

    // What the operator has to do; the oldest first.
    /// Lost for good: to be removed, and a new member to be added.
    var toReplace: [MemberID] = []
    var toRemove: [MemberID] = []
    var toAdd: [MemberID] = []
    /// Were removed without hearing of it, and will be started again.
    var toReturn: [MemberID] = []
    var interruptsSnapshots = false
    /// One at a time.
    var oldDisk: OldDisk?

    init(_ settings: SimulationSettings, _ chance: SimulatedChance) {
        self.settings = settings
        self.chance = chance
    }

    mutating func count(_ kind: FaultKind) { counts[kind, default: 0] += 1 }

    var total: Int { counts.values.reduce(0, +) }

    var isOperatorIdle: Bool { toReplace.isEmpty && toRemove.isEmpty && toAdd.isEmpty }
}
