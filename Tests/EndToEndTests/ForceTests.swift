import Foundation
import Testing

/// The majority is lost for good, and one member's data directory is left (cluster.md §12).
@Suite("Disaster recovery: --force-new-cluster", .blocking)
struct ForceTests {
    /// Where the process may die in the middle of it.
    static let failpoints = ["force.begin", "log.append.before-commit", "force.logged", "force.applied"]

    /// Three members that were killed under load.
    private static func lost(in place: Workplace, _ ledger: Ledger) throws -> LocalCluster {
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let load = Load(on: try cluster.leader().port, ledger, .init(writers: 6, round: 1))
        guard eventually(within: 20, { ledger.acknowledged > 200 }) else { throw Failure("nothing is acknowledged") }
        for member in cluster.members { member.kill() }
        try load.stop()
        return cluster
    }

    private static func memberIDs(_ client: HTTPClient) throws -> [String] {
        let text = try client.request("GET", "/v2/members").text
        return text.matches(of: /"id":"([0-9a-f]+)"/).map { String($0.1) }
    }

    @Test("One of three killed members goes on alone with all that was acknowledged to it, and grows again; the others do not disturb it")
    func oneOfThree() throws {
        let place = try Workplace()
        let ledger = Ledger()
        let cluster = try Self.lost(in: place, ledger)
        // The one that has come furthest holds every acknowledged write; which one that is, its log says.
        let last = try cluster.members.map { ($0, try Self.lastEntry($0.directory)) }.max { $0.1 < $1.1 }
        let one = try #require(last).0
        let others = cluster.members.filter { $0 !== one }
        try Files.copy(one.directory, to: place("untouched"))

        one.flags.append("--force-new-cluster")
        try one.start()
        let id = try one.id()
        #expect(one.log.contains("forcing restart of member \(id) in cluster "))
        #expect(try Self.memberIDs(one.client()) == [id])
        #expect(try ledger.complaints(about: one) == [])
        #expect(try one.client().put("/alone", "1").isSuccess)

        // The two that come back are a majority of what they know, and hear that they are not wanted.
        for other in others { try other.spawn() }
        for other in others { try other.awaitLog("this member was removed from the cluster") }
        #expect(eventually(within: 20) { others.allSatisfy { !$0.isRunning } })
        #expect(try one.client().put("/alone", "2").isSuccess)
        #expect(try Self.memberIDs(one.client()) == [id])

        // Once more with the flag: nothing is left to be done. Then without it, and with company.
        try one.stop()
        try one.start()
        #expect(!one.log.contains("forcing restart"))
        one.flags.removeLast()
        try one.stop()
        try one.start()
        for other in others { cluster.forget(other) }
        let new = try cluster.add("d", by: one)
        try new.start()
        #expect(try Self.memberIDs(new.client()).count == 2)
        #expect(try new.client().get("/alone", "quorum=true").answer().node?.value == "2")
        #expect(try cluster.complaints(ledger) == [])

        let check = try Program.etcliteutl("check", one.directory)
        #expect(check.isClean, "\(check.text)")
    }

    private static func lastEntry(_ directory: String) throws -> Int {
        let status = try Program.etcliteutl("status", directory, "--json")
        guard let match = status.text.firstMatch(of: /"last[^"]*"\s*:\s*(\d+)/), let number = Int(match.1) else {
            throw Failure("no last entry in \(status.text)")
        }
        return number
    }

    @Test("A kill in the middle of it leaves a member of three, or a lone one with everything", arguments: failpoints)
    func killed(at failpoint: String) throws {
        let place = try Workplace()
        let ledger = Ledger()
        let cluster = try Self.lost(in: place, ledger)
        let one = try #require(try cluster.members.map { ($0, try Self.lastEntry($0.directory)) }.max { $0.1 < $1.1 }).0
        one.flags.append("--force-new-cluster")
        one.environment = ["ETCLITE_FAILPOINT": failpoint]
        try one.spawn()
        #expect(eventually(within: 30) { !one.isRunning })
        let check = try Program.etcliteutl("check", one.directory)
        #expect(check.isClean, "\(check.text)")
        one.environment = [:]
        // The removal is in the log, or it never was.
        let isLogged = !["force.begin", "log.append.before-commit"].contains(failpoint)
        if isLogged { one.flags.removeLast() }
        try one.start()
        #expect(one.log.contains("forcing restart") == !isLogged)
        #expect(try Self.memberIDs(one.client()) == [try one.id()])
        #expect(try ledger.complaints(about: one) == [])
        #expect(try one.client().put("/after", "1").isSuccess)
    }

    @Test("In an empty directory the flag means nothing")
    func nothingToForce() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b"], in: place, flags: ["--force-new-cluster"])
        try cluster.start()
        #expect(try Self.memberIDs(cluster.members[0].client()).count == 2)
        #expect(try cluster.members[1].client().put("/k", "1").isSuccess)
    }
}
