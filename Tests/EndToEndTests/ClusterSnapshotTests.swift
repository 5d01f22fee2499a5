import Foundation
import Testing

/// Members that need more than the logs of the others still hold (cluster.md §11, issue 3 section 4).
@Suite("Clusters: snapshots", .blocking, .serialized)
struct ClusterSnapshotTests {
    private static let received = "raft applied incoming snapshot at index"

    @Test("A member that was away for thousands of writes gets a snapshot, and has everything")
    func lagging() throws {
        let (cluster, ledger) = try LaggingSample.take()
        let lagging = try cluster["c"]
        try cluster["a"].spawn()
        try cluster["b"].spawn()
        _ = try cluster.leader()
        // The others go on writing meanwhile.
        let load = Load(on: [try cluster["a"].port, try cluster["b"].port], ledger, .init(round: 3))
        try lagging.start()
        try lagging.awaitLog(Self.received)
        let before = ledger.acknowledged
        #expect(eventually { ledger.acknowledged > before + 50 })
        try load.stop()
        // It takes part: its word is needed for these.
        try cluster["b"].kill()
        #expect(try lagging.client().put("/load/with/c", "1").isSuccess)
        #expect(try cluster["a"].client().request("DELETE", "/v2/keys/load/with/c").isSuccess)
        try cluster["b"].start()
        #expect(try cluster.complaints(ledger) == [])
        #expect(ledger.refusals == [:])
        for member in cluster.members {
            let check = try Program.etcliteutl("check", member.directory)
            #expect(check.isClean, "\(member.name): \(check.text)")
            #expect(Files.names(member.directory + "/member/transfer").isEmpty)
        }
    }
}
