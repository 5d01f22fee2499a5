import Foundation
import HTTPTransport
import NIOCore
import ReplicaHost
import Wire

/// The way into a cluster that etcd 0.4.6 had with `-peers`: a member asks those it knows to add it, and starts (server.md §2.6).
///
/// Unlike 0.4.6 it never takes over the identity of another member with its name: whoever starts with an empty data directory is
/// a new member, and an old one has to be removed first.
struct PeersJoin: Sendable {
    let name: String
    /// This member's own.
    let peerURLs: [String]
    /// Peer URLs to ask, in the order given; none of this member's.
    let peers: [String]
    let ask: PeerQuestions
    let said: @Sendable (String) -> Void

    /// Rounds in which nobody answers.
    static let silentRoundsMax = 3
    /// Rounds in which somebody answers and does not add this member: another one may be joining (cluster.md §6, strict check).
    static let refusedRoundsMax = 120

    enum Answer: Equatable, Sendable {
        case nobody
        case refused(String)
        case joined(Founding, via: String)
    }

    /// - Throws: `StartupFailure`; `CancellationError`.
    func join() throws -> Founding {
        var silent = 0
        var refused = 0
        while true {
            switch try ask.wait(for: { [refused] in try await askAll(isFirst: refused == 0) }) {
            case .joined(let founding, let peer):
                said("\(name) joined the cluster via peer \(peer)")
                return founding
            case .nobody:
                silent += 1
                guard silent < Self.silentRoundsMax else {
                    throw StartupFailure.fatal("fail joining the cluster via given peers after \(Self.silentRoundsMax) retries")
                }
                try ask.pause(milliseconds: 2500)
            case .refused(let reason):
                refused += 1
                guard refused < Self.refusedRoundsMax else {
                    throw StartupFailure.fatal("fail joining the cluster via given peers: \(reason)")
                }
                if refused == 1 { said("the cluster does not take this member now, trying again: \(reason)") }
                try ask.pause(milliseconds: 250)
            }
        }
    }

    private func askAll(isFirst: Bool) async throws -> Answer {
        var answer = Answer.nobody
        for peer in peers {
            do {
                let cluster = try await ask.cluster(at: peer, seconds: 5)
                let version = await ask.clusterVersion(at: peer, seconds: 5)
                let one = try await join(cluster, version: version, via: peer, isFirst: isFirst)
                if case .joined = one { return one }
                answer = one
            } catch let failure as StartupFailure {
                throw failure
            } catch {
                said("Error from \(peer): \(error)")
            }
        }
        return answer
    }

    private func join(_ cluster: RunningCluster, version: String?, via peer: String, isFirst: Bool) async throws -> Answer {
        if let known = try standing(in: cluster) { return .joined(known, via: peer) }
        guard ClusterVersion.accepts(version, server: BuildVersion.etcdCompatibility) else {
            throw StartupFailure.fatal("incompatible with current running cluster")
        }
        let doors = cluster.members.flatMap { $0.clientURLs ?? [] }
        guard !doors.isEmpty else { return .refused("\(peer) is of a cluster that has no leader yet") }
        if isFirst { said("Send Join Request to \(peer)") }
        var reason = ""
        for door in doors {
            do {
                reason = try await add(at: door)
                guard reason.isEmpty else { continue }
                // The member asked has the change applied; the one that is asked now learns it within a moment.
                for _ in 0..<100 {
                    if let known = try standing(in: await ask.cluster(at: peer, seconds: 5)) { return .joined(known, via: peer) }
                    try await Task.sleep(for: .milliseconds(50))
                }
                return .refused("\(peer) does not know of this member, although \(door) has added it")
            } catch let failure as StartupFailure {
                throw failure
            } catch {
                reason = "\(door): \(error)"
            }
        }
        return .refused(reason)
    }

    /// What the cluster has made of this member; nil when it does not know it.
    func standing(in cluster: RunningCluster) throws(StartupFailure) -> Founding? {
        let ours = Set(peerURLs.map { HostSpelling.canonical(url: $0) })
        guard let own = cluster.members.first(where: { !ours.isDisjoint(with: $0.peerURLs.map { HostSpelling.canonical(url: $0) }) }) else {
            guard let namesake = cluster.members.first(where: { $0.name == name }) else { return nil }
            let id = MemberIdentity.text(namesake.id)
            throw .fatal(
                "the cluster has a member named \(Quoted.go(name)) at \(namesake.peerURLs.joined(separator: ",")); choose another "
                    + "-name, or remove that one with 'etcdctl member remove \(id)' first")
        }
        if let other = own.name, other != name {
            throw .fatal("\(own.peerURLs.joined(separator: ",")) belongs to the member named \(Quoted.go(other))")
        }
        try ServerConfiguration.requireUnpublished(own)
        let members = cluster.members.sorted { $0.id < $1.id }.map { member in
            Founding.Member(id: member.id, name: member.id == own.id ? name : member.name ?? "", peerURLs: member.peerURLs)
        }
        return Founding(clusterID: cluster.clusterID, localID: own.id, members: members, isJoining: true)
    }

    /// Empty when the member was added, else why not.
    private func add(at door: String) async throws -> String {
        struct Addition: Encodable {
            let peerURLs: [String]
            /// The strict check need not protect the cluster from a member that may never start.
            let starting = true
        }
        let body = try JSONEncoder().encode(Addition(peerURLs: peerURLs))
        var headers = HTTPClientHeaders()
        headers.append("Content-Type", "application/json")
        let response = try await ask.send(
            HTTPClientRequest(
                method: "POST", url: HTTPURL(parsing: door).with(target: "/v2/members"), headers: headers, body: Array(body),
                deadlines: PeerQuestions.within(10)))
        if response.status == 201 { return "" }
        struct Refusal: Decodable { let message: String }
        let said = try? JSONDecoder().decode(Refusal.self, from: Data(response.body)).message
        return said ?? "status \(response.status)"
    }
}
