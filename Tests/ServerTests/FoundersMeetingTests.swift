import NIOPosix
import Testing

@testable import Server

private let ask = PeerQuestions(loop: MultiThreadedEventLoopGroup.singleton.next())

private func failure(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        if case .fatal(let text)? = error as? StartupFailure { return text }
        return "\(error)"
    }
}

/// Members `a`, `b`, `c`… at ports 1, 2, 3… with their number as identity.
private func running(
    _ count: Int, cluster: UInt64 = 0xc, published: Set<UInt64> = [], version: String? = nil
) -> RunningCluster {
    let members = (1...UInt64(count)).map { id in
        RunningCluster.Member(
            id: id, peerURLs: ["http://127.0.0.1:\(id)"], name: published.contains(id) ? name(id) : nil,
            clientURLs: published.contains(id) ? ["http://127.0.0.1:100\(id)"] : nil)
    }
    return RunningCluster(clusterID: cluster, members: members, version: version)
}

private func name(_ id: UInt64) -> String { String(UnicodeScalar(UInt8(0x60 + id))) }

@Suite("cluster.md §3: founders look at each other before they found")
struct FoundersMeetingTests {
    private func meeting(_ count: UInt64) -> FoundersMeeting {
        let members = (1...count).map { Founding.Member(id: $0, name: name($0), peerURLs: ["http://127.0.0.1:\($0)"]) }
        return FoundersMeeting(founding: Founding(clusterID: 0xc, localID: 1, members: members), ask: ask) { _ in }
    }

    @Test("So many others must have answered that they are a majority with this one", arguments: [(2, 1), (3, 1), (4, 2), (5, 2), (9, 4)])
    func majority(count: UInt64, needed: Int) throws {
        #expect(meeting(count).needed == needed)
        let answers = (0..<needed).map { (url: "\($0)", cluster: running(Int(count))) }
        let isEnough = try meeting(count).judge(answers, isFirst: false)
        let isTooFew = try meeting(count).judge(Array(answers.dropLast()), isFirst: false)
        #expect(isEnough && !isTooFew)
    }

    @Test("One that has served clients under this identity is a member that has lost its data")
    func lost() {
        let text = failure { _ = try meeting(3).judge([("x", running(3)), ("y", running(3, published: [1, 2]))], isFirst: true) }
        #expect(text == "member 1 has already been bootstrapped")
        // The others have published and this one has not: it is late, not lost.
        #expect(failure { _ = try meeting(3).judge([("y", running(3, published: [2, 3]))], isFirst: true) } == nil)
    }

    @Test("One that the running cluster does not know was removed from it, and cannot come back as a founder")
    func removed() {
        let others = RunningCluster(clusterID: 0xc, members: Array(running(3, published: [2, 3]).members.dropFirst()))
        let text = failure { _ = try meeting(3).judge([("http://x", others)], isFirst: true) }
        #expect(text?.hasPrefix("member 1 was removed from the cluster, says the member at http://x; ") == true)
        #expect(text?.contains("use --initial-cluster-state existing") == true)
    }

    @Test("A running cluster of another identity ends the start with a hint; one that is being founded is waited for")
    func mismatch() throws {
        let text = failure { _ = try meeting(3).judge([("http://x", running(3, cluster: 0xd, published: [2]))], isFirst: true) }
        #expect(text?.hasPrefix("the member at http://x is of cluster d, not of c; ") == true)
        #expect(text?.contains("use --initial-cluster-state existing") == true)
        let isEnough = try meeting(3).judge([("http://x", running(3, cluster: 0xd))], isFirst: true)
        #expect(!isEnough)
    }

    @Test("Whoever shall stop does not go on waiting")
    func over() {
        let ask = PeerQuestions(loop: ask.loop) { true }
        #expect(throws: CancellationError.self) { try ask.pause(milliseconds: 60_000) }
    }
}

@Suite("cluster.md §6.1: joining as an added member")
struct JoiningTests {
    private func joining(_ cluster: RunningCluster, _ arguments: [String]) -> String? {
        failure { _ = try founding(cluster, arguments) }
    }

    private func founding(_ cluster: RunningCluster, _ arguments: [String]) throws -> Founding {
        let configuration = Outcome(["--initial-cluster-state=existing"] + arguments).configuration
        return try configuration.joining(cluster, InitialCluster(parsing: configuration.initialCluster), .memory())
    }

    private static let advertise = "--initial-advertise-peer-urls=http://127.0.0.1:3"
    private static let initial = "--initial-cluster=x=http://127.0.0.1:2,y=http://127.0.0.1:1,c=http://127.0.0.1:3"

    @Test("Order, names of the others and token do not matter; the identities are the cluster's")
    func taken() throws {
        let founding = try founding(
            running(3, published: [1, 2], version: "3.4.0"),
            ["--name=c", Self.advertise, Self.initial, "--initial-cluster-token=other"])
        #expect(founding.localID == 3 && founding.clusterID == 0xc && founding.isJoining)
        #expect(founding.members.map(\.id) == [1, 2, 3])
    }

    @Test("Mistakes, with etcd's texts")
    func mistakes() {
        let flags = ["--name=c", Self.advertise, Self.initial]
        #expect(joining(running(2, published: [1, 2]), flags)?.hasSuffix(" RemovedMemberIDs:[]}: member count is unequal") == true)
        let other = ["--name=c", "--initial-advertise-peer-urls=http://127.0.0.1:9", Self.initial.replacing(":3", with: ":9")]
        #expect(
            joining(running(3, published: [1, 2]), other)?.hasSuffix(
                #"PeerURLs: no match found for existing member (3, [http://127.0.0.1:3]), last resolver error (resolved urls: "http://127.0.0.1:3" != "http://127.0.0.1:9")"#
            ) == true)
        #expect(joining(running(3, published: [1, 2, 3]), flags)?.hasPrefix("member 3 has already been bootstrapped, and its data") == true)
        for version in ["3.5.0", "2.3.0", "x"] {
            #expect(
                joining(running(3, published: [1, 2], version: version), flags)?.hasPrefix("incompatible with current running cluster") == true)
        }
    }
}

@Suite("server.md §2.6: joining by -peers")
struct PeersJoinTests {
    private func join(_ name: String, _ port: Int) -> PeersJoin {
        PeersJoin(name: name, peerURLs: ["http://127.0.0.1:\(port)"], peers: [], ask: ask) { _ in }
    }

    @Test("What the cluster knows of this member")
    func standing() throws {
        let cluster = running(3, published: [1, 2])
        let added = try join("machine3", 3).standing(in: cluster)
        #expect(added?.localID == 3 && added?.isJoining == true)
        #expect(added?.members.map(\.name) == ["a", "b", "machine3"])
        let unknown = try join("machine4", 4).standing(in: cluster)
        #expect(unknown == nil)
        #expect(failure { _ = try join("b", 2).standing(in: cluster) }?.hasPrefix("member 2 has already been bootstrapped") == true)
        #expect(failure { _ = try join("x", 2).standing(in: cluster) } == #"http://127.0.0.1:2 belongs to the member named "b""#)
        #expect(
            failure { _ = try join("b", 4).standing(in: cluster) }?.hasPrefix(
                #"the cluster has a member named "b" at http://127.0.0.1:2; choose another -name"#) == true)
    }

    @Test("The list: addresses or URLs, from both flags, without this member's own")
    func list() {
        let configuration = Outcome(
            ["-peer-addr=127.0.0.1:7002", "-peers=127.0.0.1:7001, http://127.0.0.1:7002,127.0.0.1:7001", "-peers-file=f"],
            surroundings: .memory(files: ["f": "node1:7001\n[::1]:7003\n"])
        ).configuration
        #expect(configuration.joinPeers.map(\.text) == ["http://127.0.0.1:7001", "http://node1:7001", "http://[::1]:7003"])
        // Only itself: it founds.
        #expect(Outcome(["-peer-addr=127.0.0.1:7001", "-peers=127.0.0.1:7001"]).configuration.joinPeers.isEmpty)
    }

    @Test("Lists that cannot be used")
    func refusals() {
        #expect(
            Outcome(["-peers=foo"]).lines.last
                == Outcome.verifying(#"-peers has "foo", which does not have the form host:port"#))
        #expect(Outcome(["-peers-file=f"]).lines.last == Outcome.verifying("open f: no such file or directory"))
        #expect(
            Outcome(["-peers=127.0.0.1:1", "-initial-cluster=default=http://localhost:2380"]).lines.last
                == Outcome.verifying("Set only one of flags -peers and -initial-cluster"))
    }
}
