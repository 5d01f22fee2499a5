import Raft
import TestSupport
import Testing
import Wire

@testable import Replica

@Suite("Payloads for peers")
struct CacheTests {
    private static func payload(_ number: UInt64, bytes: Int = 36) -> EntryPayload {
        EntryPayload(kind: .keys, value: [UInt8](repeating: 0, count: bytes), request: number)
    }

    private static func requests(_ payloads: [EntryPayload]?) -> [UInt64]? { payloads?.map(\.request) }

    @Test("It gives what it has whole, follows truncations, and begins anew after a gap")
    func follows() {
        var cache = EntryCache(next: 5, bytesMax: 1 << 20)
        #expect(cache.payloads(from: 5, count: 1) == nil)
        for index: UInt64 in 5...9 { cache.append(Self.payload(index), at: Index(index)) }
        #expect(Self.requests(cache.payloads(from: 6, count: 3)) == [6, 7, 8])
        #expect(cache.payloads(from: 4, count: 2) == nil && cache.payloads(from: 9, count: 2) == nil)
        cache.truncate(from: 8)
        cache.append(Self.payload(80), at: 8)
        #expect(Self.requests(cache.payloads(from: 7, count: 2)) == [7, 80])
        #expect(cache.bytes == 4 * 100 && cache.end == 9)
        cache.append(Self.payload(20), at: 20)
        #expect(cache.count == 1 && cache.payloads(from: 8, count: 1) == nil)
        #expect(Self.requests(cache.payloads(from: 20, count: 1)) == [20])
        cache.truncate(from: 3)
        #expect(cache.count == 0 && cache.bytes == 0 && cache.end == 3)
    }

    @Test("Bounded by bytes, but what is not safe elsewhere stays")
    func bounded() {
        var cache = EntryCache(next: 1, bytesMax: 1000)
        for index: UInt64 in 1...50 { cache.append(Self.payload(index), at: Index(index)) }
        cache.trim(upTo: 0)
        #expect(cache.count == 50)
        cache.trim(upTo: 30)
        #expect(cache.first == 31 && cache.bytes == 2000)
        cache.trim(upTo: 50)
        #expect(cache.first == 41 && cache.bytes == 1000)
        #expect(Self.requests(cache.payloads(from: 41, count: 10)) == Array(41...50))
    }

    @Test("Against a dictionary, at random", arguments: 1...20)
    func random(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var cache = EntryCache(next: 1, bytesMax: 3000)
        var model: [UInt64: UInt64] = [:]
        var last: UInt64 = 0
        for step: UInt64 in 1...3000 {
            switch generator.next() % 10 {
            case 0...6:
                last += 1
                cache.append(Self.payload(step, bytes: Int(generator.next() % 200)), at: Index(last))
                model[last] = step
            case 7 where last > 0:
                let from = last - min(last - 1, generator.next() % 5)
                cache.truncate(from: Index(from))
                for index in from...last { model[index] = nil }
                last = from - 1
            default: cache.trim(upTo: Index(last - min(last, generator.next() % 10)))
            }
            #expect(cache.end == Index(last + 1), "seed \(seed)")
            guard last > 0 else { continue }
            let from = 1 + generator.next() % last
            let count = 1 + generator.next() % 10
            let expected = Index(from) >= cache.first && from + count - 1 <= last ? (from..<(from + count)).map { model[$0] ?? 0 } : nil
            #expect(Self.requests(cache.payloads(from: Index(from), count: Int(count))) == expected, "seed \(seed), step \(step)")
        }
    }

    @Test("An append that is too large goes in pieces, each behind the one before")
    func pieces() throws {
        let headers = (11...16).map { EntryHeader(position: LogPosition(index: Index($0), term: $0 < 14 ? 2 : 3)) }
        let sizes = [36, 36, 536, 36, 36, 36]
        let payloads = sizes.enumerated().map { Self.payload(UInt64($0.offset), bytes: $0.element) }
        let message = Message(
            from: MemberID(1), to: MemberID(2), term: 3,
            body: .append(previous: LogPosition(index: 10, term: 1), entries: headers, commit: 12))
        #expect(AppendPieces.split(message, payloads, bytesMax: 10_000) == [.raft(message, payloads: payloads)])
        let pieces = AppendPieces.split(message, payloads, bytesMax: 250)
        var before = LogPosition(index: 10, term: 1)
        var all: [EntryPayload] = []
        var counts: [Int] = []
        for piece in pieces {
            guard case .raft(let message, let payloads) = piece, case .append(let previous, let entries, let commit) = message.body else {
                Issue.record("not an append")
                return
            }
            #expect(previous == before && commit == 12 && entries.count == payloads.count)
            before = try #require(entries.last).position
            all += payloads
            counts.append(payloads.count)
        }
        #expect(all == payloads && before == headers[5].position)
        #expect(counts == [2, 1, 2, 1])
    }
}

@Suite("What a cluster asks of one member's brain")
struct ClusterBrainTests {
    @Test("Quorum reads are released when what they wait for is applied, on every member, and survive a change of the leader", arguments: 1...10)
    func reads(seed: UInt64) {
        var cluster = Cluster(3, seed: seed)
        cluster.handle(2, .readRequested(99))
        cluster.run(steps: 50) { _ in false }
        #expect(cluster.members[2].released.isEmpty || cluster.leader != nil, "nobody could vouch for it")
        let leader = cluster.elect()
        cluster.handle(leader, .proposed([Cluster.set(1)]))
        #expect(cluster.run { $0.isApplied([1], on: [leader]) })
        for place in 0..<3 { for number: UInt64 in 1...5 { cluster.handle(place, .readRequested(number)) } }
        cluster.handle(1, .readsAbandoned([3]))
        #expect(cluster.run { $0.members.allSatisfy { $0.released.count { $0.number <= 5 } >= 4 } && $0.members[2].released.count == 6 })
        for place in 0..<3 {
            let member = cluster.members[place]
            #expect(member.released.allSatisfy { $0.index <= member.applied.index })
            #expect(Set(member.released.map(\.number)).count == member.released.count)
            #expect(member.released.contains { $0.number == 3 } == (place != 1))
            #expect(member.history.contains(1), "the write was acknowledged before the read came")
        }
        let survivor = (leader + 1) % 3
        cluster.network = []
        cluster.handle(survivor, .readRequested(7))
        cluster.crash(leader)
        #expect(cluster.run { $0.members[survivor].released.contains { $0.number == 7 } })
    }

    @Test("A lone voter keeps no payloads; those who come later get them from its log")
    func joining() {
        var cluster = Cluster(1, joiners: 2)
        _ = cluster.elect()
        cluster.handle(0, .proposed((1...50).map { Cluster.set($0) }))
        #expect(cluster.run { $0.isApplied(1...50, on: [0]) })
        #expect(cluster.members[0].machine.cache.count == 0)
        for number: UInt64 in 2...3 {
            let change = MembershipChange.add(Cluster.member(number))
            cluster.handle(0, .proposed([MembershipCodec.encode(change, time: 1, request: 1000 + number)]))
        }
        #expect(cluster.run { $0.isApplied(1...50) && $0.isApplied([1002, 1003]) })
        cluster.handle(2, .proposed([Cluster.set(60)]))
        #expect(cluster.run { $0.isApplied([60]) })
        #expect(cluster.members.allSatisfy { $0.configuration.voters.count == 3 && $0.machine.cache.count > 0 })
        #expect(cluster.complaints.isEmpty)
    }

    @Test("Changes wait for the one before; one that would be refused is answered and counted by nobody")
    func changes() {
        var cluster = Cluster(3, joiners: 2)
        let leader = cluster.elect()
        let follower = (leader + 1) % 3
        var other = Cluster.member(5)
        other.peerURLs = Cluster.member(4).peerURLs
        let changes: [MembershipChange] = [
            .add(Cluster.member(4)), .add(other), .remove(MemberID(9)), .remove(MemberID(4)), .add(Cluster.member(4)), .add(other),
        ]
        for (number, change) in changes.enumerated() {
            cluster.handle(follower, .proposed([MembershipCodec.encode(change, time: 1, request: UInt64(number) + 1)]))
        }
        #expect(cluster.run { $0.isApplied(1...6, on: [0, 1, 2]) })
        for place in 0..<3 {
            #expect(
                cluster.members[place].refusals == [
                    2: .peerURLExists("http://m4:2380"), 3: .unknownID(MemberID(9)), 5: .idWasRemoved(MemberID(4)),
                ])
            #expect(cluster.members[place].machine.core.configuration.voters == [1, 2, 3, 5].map { MemberID($0) })
        }
        #expect(cluster.complaints.isEmpty, "\(cluster.complaints)")
    }

    @Test("The log is not cut while a member gets a snapshot, nor shortly after; but not for ever")
    func heldCuts() {
        var policy = LogPolicy(entriesBetweenCuts: 100, entriesKept: 20, cutAt: 0, durable: 0)
        policy.treeIsDurable(upTo: 500)
        policy.snapshotStarts(to: MemberID(2))
        #expect(policy.cut(committed: 500, at: 0) == nil)
        policy.snapshotEnds(to: MemberID(2), succeeded: true, at: 1000)
        #expect(policy.cut(committed: 500, at: 30_000) == nil)
        #expect(policy.cut(committed: 500, at: 31_000) == 480)
        policy.snapshotStarts(to: MemberID(2))
        policy.treeIsDurable(upTo: 900)
        #expect(policy.cut(committed: 900, at: 40_000) == nil)
        policy.treeIsDurable(upTo: 1500)
        #expect(policy.cut(committed: 1500, at: 40_000) == 1480, "too much is overdue")
        policy.snapshotEnds(to: MemberID(2), succeeded: false, at: 40_000)
        policy.treeIsDurable(upTo: 1700)
        #expect(policy.cut(committed: 1700, at: 40_001) == 1680)
        policy.installed(5000)
        #expect(policy.cut(committed: 5000, at: 50_000) == nil)
    }

    @Test("A member that has got a snapshot is waited for as long as it comes nearer, and no longer")
    func heldForFollower() {
        let slow = MemberID(2)
        var policy = LogPolicy(entriesBetweenCuts: 1000, entriesKept: 20, cutAt: 0, durable: 0)
        policy.snapshotStarts(to: slow)
        policy.snapshotEnds(to: slow, succeeded: true, at: 0)
        policy.treeIsDurable(upTo: 2000)
        // 20 s from one word to the next: with a fixed time it would be too late at the second.
        for step: UInt64 in 1...20 {
            #expect(policy.cut(committed: 2000, at: step * 20_000, matched: [slow: Index(step * 50)]) == nil, "step \(step)")
        }
        #expect(policy.cut(committed: 2000, at: 430_000, matched: [slow: 1000]) == 1980, "30 s without a word")

        policy.snapshotStarts(to: slow)
        policy.snapshotEnds(to: slow, succeeded: true, at: 500_000)
        policy.treeIsDurable(upTo: 4000)
        #expect(policy.cut(committed: 4000, at: 500_001, matched: [slow: 3979]) == nil)
        #expect(policy.cut(committed: 4000, at: 500_002, matched: [slow: 3980]) == 3980, "it needs nothing of that")
    }

    @Test("A snapshot that takes longer than the log is held at first comes in time at last", arguments: [500, 3000, 29_000, 32_000])
    func slowSnapshot(entriesMeanwhile: UInt64) {
        let slow = MemberID(2)
        var policy = LogPolicy(entriesBetweenCuts: 100, entriesKept: 20, cutAt: 0, durable: 0)
        var end: UInt64 = 0
        var now: UInt64 = 0
        var cut: Index = 0
        func isInTime(_ attempts: Int) -> Bool {
            for _ in 0..<attempts {
                let position = Index(end)
                policy.snapshotStarts(to: slow)
                for _ in 0..<entriesMeanwhile {
                    (end, now) = (end + 1, now + 10)
                    policy.treeIsDurable(upTo: Index(end))
                    if let target = policy.cut(committed: Index(end), at: now, matched: [slow: 0]) { cut = target }
                }
                policy.snapshotEnds(to: slow, succeeded: true, at: now)
                if cut <= position { return true }
            }
            return false
        }
        #expect(isInTime(12) == (entriesMeanwhile < 256 * 120))
    }

    @Test("Of large entries fewer are kept")
    func bytesKept() {
        var policy = LogPolicy(
            entriesBetweenCuts: 100_000, bytesBetweenCuts: 256 << 20, entriesKept: 5000, bytesKept: 64 << 20, cutAt: 0, durable: 0)
        var cut: UInt64 = 0
        for index: UInt64 in 1...2000 {
            policy.grew(bytes: 1 << 20, upTo: Index(index))
            policy.treeIsDurable(upTo: Index(index))
            if let target = policy.cut(committed: Index(index), at: 0) {
                #expect(target.value == index - 64)
                cut = target.value
            }
            #expect(index - cut <= 256, "mebibytes in the log")
        }
        #expect(cut > 1700)
    }

    @Test("What a log holds at the start counts, and is cut when enough has come behind it")
    func bytesAtStart() {
        var policy = LogPolicy(
            entriesBetweenCuts: 100_000, bytesBetweenCuts: 256 << 20, bytesKept: 64 << 20, cutAt: 10, durable: 300, last: 310,
            bytes: 300 << 20)
        #expect(policy.cut(committed: 310, at: 0) == nil)
        for index: UInt64 in 311...373 { policy.grew(bytes: 1 << 20, upTo: Index(index)) }
        policy.treeIsDurable(upTo: 373)
        #expect(policy.cut(committed: 373, at: 0) == nil)
        policy.grew(bytes: 1 << 20, upTo: 374)
        #expect(policy.cut(committed: 374, at: 0) == 310)
        policy.grew(bytes: 100 << 20, upTo: 375)
        policy.treeIsDurable(upTo: 375)
        #expect(policy.cut(committed: 375, at: 0) == nil, "164 MiB are there")
    }

    @Test("A tail that is replaced counts for what it is replaced with")
    func replacedTail() {
        var sizes = LogSizes(bytes: 0, last: 0, bytesPerMark: 10)
        for index: UInt64 in 1...100 { sizes.grew(bytes: 10, upTo: Index(index)) }
        #expect(sizes.newest(with: 100) == 90)
        for index: UInt64 in 51...60 { sizes.grew(bytes: 10, upTo: Index(index)) }
        #expect(sizes.newest(with: 50) == 55 && sizes.newest(with: 100) == 51)
        sizes.cut(at: 55)
        #expect(sizes.bytes == 50)
    }

    @Test("A member far behind is given a snapshot and goes on from there", arguments: 1...5)
    func snapshot(seed: UInt64) {
        var cluster = Cluster(3, seed: seed, entriesKept: 10)
        let leader = cluster.elect()
        let slow = (leader + 1) % 3
        cluster.cutOff = [cluster.members[slow].id]
        for number: UInt64 in 1...40 {
            let requests = ((number - 1) * 5 + 1)...(number * 5)
            cluster.handle(leader, .proposed(requests.map { Cluster.set($0) }))
            #expect(cluster.run { $0.isApplied(requests, on: [leader]) })
        }
        #expect(cluster.members[leader].cut.index > 100)
        cluster.cutOff = []
        #expect(cluster.run { $0.isApplied(1...200) })
        #expect(cluster.members[slow].cut.index > 100)
        cluster.handle(slow, .proposed([Cluster.set(500)]))
        #expect(cluster.run { $0.isApplied([500]) })
        #expect(cluster.complaints.isEmpty)
    }
}
