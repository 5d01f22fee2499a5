import Raft
import Simulation
import Storage
import Testing
import Wire

@Suite("A log on a machine that loses power")
struct PowerLossTests {
    private static let path = "/sim/m/log.db"

    /// Elections, which change one word of a page, and small entries, in a WAL that begins anew again and again.
    @Test("It opens after any loss of power, and holds what was acknowledged", arguments: UInt64(1)...12)
    func opens(seed: UInt64) throws {
        var files = SimulatedDisk.files
        files.logFrames = 80
        try FileSystem.$simulated.withValue(files) { try play(seed) }
    }

    private func play(_ seed: UInt64) throws {
        var chance = SimulatedChance(seed: seed)
        let disk = SimulatedDisk(seed: seed)
        let identity = Identity(member: MemberID(1), cluster: MemberID(2), origin: "test")
        try LogStore.create(Self.path, identity: identity)
        try FileOperations.synchronize("/sim/m")
        var acknowledged = (term: Term(0), last: Index(0))
        for _ in 1...60 {
            do {
                let store = try LogStore(Self.path)
                #expect(store.hardState.term >= acknowledged.term && store.tail.position.index >= acknowledged.last)
                acknowledged = (store.hardState.term, store.tail.position.index)
                disk.crash("/sim/m", afterCalls: chance.within(1...60), seed: chance.next())
                while true {
                    var entries: [LogEntry] = []
                    let term = Term(acknowledged.term.value + 1)
                    if chance.happens(30) {
                        let payload = EntryPayload(kind: .keys, value: [UInt8](repeating: 0x76, count: chance.below(60)), request: 0)
                        entries = [LogEntry(index: acknowledged.last.next, term: term, payload: payload)]
                    }
                    try store.write(HardState(term: term, vote: MemberID(1), commit: 0), entries)
                    acknowledged = (term, entries.last?.index ?? acknowledged.last)
                    try store.checkpointIfDue()
                }
            } catch {
                guard disk.hasCrashed("/sim/m") else { throw error }
            }
        }
    }
}
