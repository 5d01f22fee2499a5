import Foundation
import Testing

/// How clusters begin (cluster.md §3 to §4, server.md §2.6).
@Suite("Bootstrap of clusters", .blocking)
struct BootstrapTests {
    @Test("Members that are started together come to index 2N + 1 and one version", arguments: [2, 3, 5])
    func index(count: Int) throws {
        let place = try Workplace()
        let members = try (0..<count).map { try LooseMember("m\($0)", in: place) }
        for member in members { try member.spawn(members) }
        for member in members { try member.awaitReady() }
        for member in members {
            #expect(
                try eventually {
                    try member.client().request("GET", "/version").text == #"{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}"#
                })
            // A founder that comes late, on a busy machine, costs one entry more: the version is raised when it is there.
            let raised = member.log.contains("updated the cluster version") ? 1 : 0
            #expect(try member.client().get("/").index == UInt64(2 * count + 1 + raised), "\(member.log)")
        }
    }

    @Test("Until there is a quorum the peer port answers, the client port only tells how it is, and SIGTERM ends it")
    func waiting() throws {
        let place = try Workplace()
        let members = try ["a", "b", "c"].map { try LooseMember($0, in: place) }
        try members[0].spawn(members)
        #expect(eventually { members[0].peerAnswer("/version")?.contains(#""etcdcluster":"not_decided""#) == true })
        let list = members[0].peerAnswer("/members") ?? ""
        for member in members { #expect(list.contains(#""peerURLs":["\#(member.peerURL)"],"name":"\#(member.name)"}"#), "\(list)") }
        #expect(members[0].peerAnswer("/raft/probing")?.hasPrefix(#"{"OK":true,"Now":"20"#) == true)
        #expect(throws: Failure.self) { try HTTPClient(port: members[0].port, timeoutSeconds: 1).get("/") }
        #expect(try members[0].client().request("GET", "/version").text.contains("not_decided"))
        #expect(try members[0].client().request("GET", "/health").status == 503)
        members[0].child?.send(SIGTERM)
        #expect(try members[0].awaitEnd() == .signal(SIGTERM))

        // Two of three are enough; the third is known by its name, and raises the version when it comes.
        try members[0].spawn(members)
        try members[1].spawn(members)
        for member in members.dropLast() { try member.awaitReady() }
        let known = try members[1].client().request("GET", "/v2/members").text
        #expect(known.contains(#""name":"c","peerURLs":["\#(members[2].peerURL)"],"clientURLs":[]"#), "\(known)")
        try members[2].spawn(members)
        try members[2].awaitReady()
        #expect(try eventually { try members[2].client().request("GET", "/version").text.contains("3.4.0") })
    }

    private func three(in place: Workplace) throws -> [LooseMember] {
        let members = try ["a", "b", "c"].map { try LooseMember($0, in: place) }
        for member in members { try member.spawn(members) }
        for member in members { try member.awaitReady() }
        return members
    }

    @Test("A member that lost its data refuses to found again, also when the others know of it from their logs only")
    func lostDataAtOnce() throws {
        let place = try Workplace()
        let members = try three(in: place)
        // The entries are at the others by now, and not in their trees: those are written after 200 ms.
        usleep(50_000)
        for member in members { member.kill() }
        let lost = members[2]
        lost.loseData()
        try lost.spawn(members)
        #expect(eventually { lost.log.contains("waiting for a majority") })
        // Alone, it cannot find out what of its log is committed.
        try members[0].spawn(members)
        #expect(try lost.awaitEnd() == .exit(1))
        #expect(lost.log.contains("has already been bootstrapped"))
        try members[1].spawn(members)
        for member in members.dropLast() { try member.awaitReady() }
    }

    @Test("A member that lost its data refuses to found its cluster again, also when it is up before the others")
    func lostData() throws {
        let place = try Workplace()
        let members = try three(in: place)
        #expect(try members[0].client().put("/kept", "1").isSuccess)
        let lost = members[2]
        let id = try lost.id(asking: members[0])
        lost.kill()
        lost.loseData()
        try lost.spawn(members)
        #expect(try lost.awaitEnd() == .exit(1))
        #expect(lost.log.contains("member \(id) has already been bootstrapped"))
        // As existing it would take over its old identity, too.
        try lost.spawn(members, state: "existing")
        #expect(try lost.awaitEnd() == .exit(1))
        #expect(lost.log.contains("member \(id) has already been bootstrapped"))

        for member in members { member.kill() }
        try lost.spawn(members)
        #expect(eventually { lost.log.contains("waiting for a majority") })
        #expect(!Files.exists(lost.directory + "/member/log.db"))
        for member in members.dropLast() { try member.spawn(members) }
        #expect(try lost.awaitEnd() == .exit(1))
        #expect(lost.log.contains("member \(id) has already been bootstrapped"))
        for member in members.dropLast() { try member.awaitReady() }
        #expect(try members[1].client().get("/kept").answer().node?.value == "1")
    }

    @Test("Founding beside a running cluster by mistake ends with a hint")
    func newByMistake() throws {
        let place = try Workplace()
        let one = try LooseMember("a", in: place)
        let other = try LooseMember("b", in: place)
        try one.spawn([one])
        try one.awaitReady()
        try other.spawn([one, other])
        #expect(try other.awaitEnd() == .exit(1))
        #expect(other.log.contains("use --initial-cluster-state existing"), "\(other.log)")
    }

    @Test("As with etcd 0.4: the first founds, the others join by -peers; all come back with the same flags")
    func peers() throws {
        let place = try Workplace()
        let members = try (1...3).map { try LooseMember("machine\($0)", in: place) }
        try members[0].spawn(joining: [])
        try members[0].awaitReady()
        // One of the peers is not there yet.
        try members[1].spawn(joining: [members[0], members[2]])
        try members[1].awaitReady()
        #expect(members[1].log.contains("Send Join Request to \(members[0].peerURL)"))
        #expect(members[1].log.contains("machine2 joined the cluster via peer"))
        try members[2].spawn(joining: [members[0], members[1]])
        try members[2].awaitReady()
        #expect(!members[2].log.contains("trying again"), "it was taken at once: \(members[2].log)")
        #expect(try members[1].client().put("/foo", "bar").isSuccess)
        let urls = members.map(\.clientURL).sorted().joined(separator: ", ")
        for member in members { #expect(try eventually { try member.client().request("GET", "/v2/machines").text == urls }) }
        let leader = try members[2].client().request("GET", "/v2/leader").text
        #expect(members.map(\.peerURL).contains(leader))
        for member in members { member.kill() }
        try members[0].spawn(joining: [])
        try members[1].spawn(joining: [members[0], members[2]])
        try members[2].spawn(joining: [members[0], members[1]])
        for member in members { try member.awaitReady() }
        #expect(try members[2].client().get("/foo").answer().node?.value == "bar")

        let elsewhere = try Workplace()
        let namesake = try LooseMember("machine2", in: elsewhere)
        try namesake.spawn(joining: members)
        #expect(try namesake.awaitEnd() == .exit(1))
        #expect(namesake.log.contains(#"the cluster has a member named "machine2""#))
        let lost = try LooseMember("machine9", in: place)
        try lost.spawn(joining: [namesake])
        #expect(try lost.awaitEnd() == .exit(1))
        #expect(lost.log.contains("fail joining the cluster via given peers after 3 retries"))
    }
}
