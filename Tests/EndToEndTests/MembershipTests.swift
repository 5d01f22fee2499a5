import Foundation
import Testing

/// Members come, move and go  (cluster.md §5 and §6).
@Suite("Changes of the membership", .blocking)
struct MembershipTests {
    private func cluster(_ names: [String], _ place: Workplace) throws -> [LooseMember] {
        let members = try names.map { try LooseMember($0, in: place) }
        for member in members { try member.spawn(members) }
        for member in members { try member.awaitReady() }
        return members
    }

    private func leader(_ members: [LooseMember]) throws -> LooseMember {
        var leader: LooseMember?
        _ = eventually {
            leader = members.first { $0.isLeader() }
            return leader != nil
        }
        guard let leader else { throw Failure("no leader") }
        return leader
    }

    @Test("One becomes three, also when it is started again before the second comes; then back to one")
    func growth() throws {
        let place = try Workplace()
        let members = try ["a", "b", "c"].map { try LooseMember($0, in: place) }
        let (a, b, c) = (members[0], members[1], members[2])
        try a.spawn([a])
        try a.awaitReady()
        #expect(try a.client().put("/x", "1").isSuccess)
        let added = try a.ctl("member", "add", "b", b.peerURL)
        #expect(added.text.contains(#"ETCD_INITIAL_CLUSTER_STATE="existing""#), "\(added.text)")
        // Without the second there is no quorum, and the next change is refused at once.
        let next = try Run(Program.client, ["--endpoints", a.clientURL, "member", "add", "c", c.peerURL])
        #expect(next.ending == .exit(1) && next.text.contains("not enough started members"), "\(next.text)")
        a.kill()
        try a.spawn([a])
        #expect(eventually { a.peerAnswer("/members")?.contains(b.peerURL) == true })
        try b.spawn([a, b], state: "existing", token: "other")
        try b.awaitReady()
        #expect(try b.client().get("/x").answer().node?.value == "1")
        #expect(try b.client().put("/x", "2").isSuccess)
        #expect(try b.ctl("member", "add", "c", c.peerURL).isClean)
        try c.spawn([c, b, a], state: "existing")
        try c.awaitReady()
        #expect(try c.client().get("/x").answer().node?.value == "2")
        for gone in [b, c] {
            let removed = try a.ctl("member", "remove", gone.id(asking: a))
            #expect(removed.isClean, "\(removed.text)")
            #expect(try gone.awaitEnd() == .exit(0))
        }
        let last = try a.ctl("member", "remove", a.id(asking: a))
        #expect(last.ending == .exit(1) && last.text.contains("the last one cannot be removed"))
        #expect(try a.client().put("/x", "3").isSuccess)
    }

    @Test("A removed member says so and exits with 0, each time; a removed leader is replaced")
    func removal() throws {
        let place = try Workplace()
        let members = try cluster(["a", "b", "c"], place)
        let first = try leader(members)
        let rest = members.filter { $0 !== first }
        #expect(try rest[0].ctl("member", "remove", first.id(asking: rest[0])).isClean)
        #expect(try first.awaitEnd() == .exit(0))
        #expect(first.log.contains("the member has been permanently removed from the cluster"))
        #expect(first.log.contains("the data-dir used by this member must be removed."))
        #expect(try rest[1].client().put("/x", "1").isSuccess)
        try first.spawn(members)
        #expect(try first.awaitEnd() == .exit(0))
        #expect(first.log.contains("the member has been permanently removed from the cluster"))
        #expect(try rest[0].client().request("GET", "/v2/members").text.contains(first.peerURL) == false)
    }

    @Test("A dead member is replaced: first removed, then another added in its place")
    func replacement() throws {
        let place = try Workplace()
        let members = try cluster(["a", "b", "c"], place)
        let dead = members[2]
        dead.kill()
        let early = try Run(Program.client, ["--endpoints", members[0].clientURL, "member", "add", "d", "http://127.0.0.1:1"])
        #expect(early.ending == .exit(1) && early.text.contains("to replace a dead one, remove it first"), "\(early.text)")
        #expect(try members[0].ctl("member", "remove", dead.id(asking: members[0])).isClean)
        dead.loseData()
        #expect(try members[0].ctl("member", "add", dead.name, dead.peerURL).isClean)
        #expect(try members[0].client().put("/x", "1").isSuccess)
        try dead.spawn(members, state: "existing")
        try dead.awaitReady()
        #expect(try dead.client().get("/x", "quorum=true").answer().node?.value == "1")
    }

    @Test("A member moves: its old address serves until it is started at the new one")
    func update() throws {
        let place = try Workplace()
        let members = try cluster(["a", "b", "c"], place)
        let first = try leader(members)
        guard let moving = members.first(where: { $0 !== first }) else { throw Failure("no follower") }
        let id = try moving.id(asking: first)
        try moving.move()
        #expect(try first.ctl("member", "update", id, moving.peerURL).isClean)
        #expect(try moving.client().put("/x", "1").isSuccess)
        moving.kill()
        try moving.spawn(members)
        try moving.awaitReady()
        #expect(try moving.client().put("/x", "2").isSuccess)
        #expect(try moving.id(asking: first) == id)
    }

    @Test("Requests that name no member, or bad URLs, harm nobody")
    func nonsense() throws {
        let place = try Workplace()
        let members = try cluster(["a", "b", "c"], place)
        for path in ["0", "00", "1234", "zz", "ffffffffffffffff"] {
            #expect(try members[0].client().request("DELETE", "/v2/members/\(path)").status == 404, "\(path)")
        }
        for url in ["http://127.0.0.1:1\nlearner", "http://127.0.0.1:zz", "127.0.0.1:1", "http://127.0.0.1:1/x"] {
            #expect(try members[1].ctl("member", "add", "x", url).ending == .exit(1), "\(url)")
        }
        for member in members {
            #expect(try member.client().put("/alive", member.name).isSuccess)
            #expect(member.child?.ended == nil)
        }
    }
}
