import Raft
import Replica
import Testing
import Wire

@Suite("Machines among crashes and losses")
struct ChaosTests {
    @Test("Each proposal happens at most once, and once if its member stays up; all come to the same", arguments: 1...60)
    func atMostOnce(seed: UInt64) {
        let size = UInt64([1, 2, 3, 3, 5][Int(seed % 5)])
        var settings = ReplicaSettings()
        if seed % 3 == 0 {
            settings.cacheBytesMax = 2000
            settings.messageBytesMax = 700
            settings.forwardWindowMessages = 3
        }
        var cluster = Cluster(size, seed: seed, settings: settings, entriesKept: seed % 4 == 0 ? 20 : 5000)
        cluster.isLossy = true
        var next: UInt64 = 0
        var own: [Int: [UInt64]] = [:]
        func propose(_ cluster: inout Cluster) {
            let place = Int(cluster.generator.next() % size)
            guard cluster.members[place].isUp else { return }
            let count = 1 + cluster.generator.next() % 4
            let requests = (1...count).map { next + $0 }
            next += count
            own[place, default: []] += requests
            cluster.handle(place, .proposed(requests.map { Cluster.set($0, value: [UInt8](repeating: 1, count: Int($0 % 300))) }))
        }
        for _ in 0..<6000 {
            cluster.step()
            switch cluster.generator.next() % 400 {
            case 0...19: propose(&cluster)
            case 20:
                let place = Int(cluster.generator.next() % size)
                if cluster.members[place].isUp, cluster.members.count(where: { !$0.isUp }) == 0 {
                    cluster.crash(place)
                    own[place] = []
                }
            case 21...26:
                for place in cluster.members.indices where !cluster.members[place].isUp { cluster.boot(place) }
            case 27: cluster.cutOff = [MemberID(1 + cluster.generator.next() % size)]
            case 28...31: cluster.cutOff = []
            case 32: if let leader = cluster.leader { cluster.handle(leader, .transferLeadership(nil)) }
            default: break
            }
        }
        cluster.isLossy = false
        cluster.cutOff = []
        for place in cluster.members.indices where !cluster.members[place].isUp { cluster.boot(place) }
        var expected: [UInt64] = []
        for (place, requests) in own where !cluster.members[place].hasForgotten { expected += requests }
        let isDone = cluster.run { $0.isApplied(expected) && Set($0.members.map(\.applied.index)).count == 1 }
        let missing = expected.filter { request in !cluster.members.allSatisfy { $0.history.contains(request) } }
        #expect(isDone, "seed \(seed): missing \(missing.prefix(5)), applied \(cluster.members.map(\.applied))")
        #expect(Set(cluster.members.map(\.history)).count == 1, "seed \(seed)")
        #expect(cluster.complaints.isEmpty, "seed \(seed): \(cluster.complaints)")
        #expect(next == 0 || !cluster.members[0].history.isEmpty, "seed \(seed)")
        // A member alone keeps nothing for others.
        #expect((cluster.handedOn > 0) == (size > 1), "seed \(seed)")
    }

    @Test("Changes of the membership: Raft counts what is applied and nothing else, whoever proposes what", arguments: 1...40)
    func membership(seed: UInt64) {
        var cluster = Cluster(3, joiners: 3, seed: seed, entriesKept: seed % 3 == 0 ? 15 : 5000)
        cluster.isLossy = seed % 2 == 0
        var request: UInt64 = 1000
        for round in 0..<4000 {
            cluster.step()
            guard round % 40 == 0 else { continue }
            // These two are never removed, so all that they propose is answered.
            let place = Int(cluster.generator.next() % 2)
            request += 1
            let target = 3 + cluster.generator.next() % 4
            let change: MembershipChange
            switch cluster.generator.next() % 6 {
            case 0: change = .add(Cluster.member(target))
            case 1:
                var learner = Cluster.member(target)
                learner.isLearner = true
                change = .add(learner)
            case 2: change = .remove(MemberID(target))
            case 3: change = .update(MemberID(target), peerURLs: ["http://m\(4 + cluster.generator.next() % 4):2380"])
            case 4: change = .publish(MemberID(target), name: "n", clientURLs: [])
            default:
                cluster.handle(place, .proposed([Cluster.set(request)]))
                continue
            }
            cluster.handle(place, .proposed([MembershipCodec.encode(change, time: 1, request: request)]))
            if cluster.generator.next() % 20 == 0, let leader = cluster.leader { cluster.handle(leader, .transferLeadership(nil)) }
        }
        cluster.isLossy = false
        let all = 1001...request
        #expect(cluster.run(steps: 100_000) { $0.isApplied(all, on: [0, 1]) }, "seed \(seed)")
        #expect(cluster.complaints.isEmpty, "seed \(seed): \(cluster.complaints)")
        for place in 0...1 {
            let member = cluster.members[place]
            #expect(member.machine.core.configuration == member.configuration, "seed \(seed)")
            #expect(member.machine.members == member.members, "seed \(seed)")
        }
        #expect(cluster.members[0].members == cluster.members[1].members, "seed \(seed)")
    }
}
