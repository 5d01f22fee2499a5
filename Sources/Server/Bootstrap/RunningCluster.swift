import Foundation
import HTTPTransport
import NIOCore

/// What a member of a running cluster says of it on its peer port (cluster.md §4).
struct RunningCluster: Sendable {
    struct Member: Decodable, Sendable {
        let id: UInt64
        let peerURLs: [String]
        let name: String?
        let clientURLs: [String]?
    }

    let clusterID: UInt64
    let members: [Member]

    /// As Go prints the structure.
    var text: String {
        let list = members.map { member in
            let urls = (member.clientURLs ?? []).joined(separator: " ")
            return "&{ID:\(MemberIdentity.text(member.id)) RaftAttributes:{PeerURLs:[\(member.peerURLs.joined(separator: " "))]"
                + " IsLearner:false} Attributes:{Name:\(member.name ?? "") ClientURLs:[\(urls)]}}"
        }
        return "{ClusterID:\(MemberIdentity.text(clusterID)) Members:[\(list.joined(separator: " "))] RemovedMemberIDs:[]}"
    }

    /// Asks one URL.
    ///
    /// - Returns: nil when nobody answers in time, or whoever does is no member; `said` gets the reason.
    static func ask(_ url: String, seconds: Int, on loop: any EventLoop) -> (cluster: RunningCluster?, said: String) {
        let promise = loop.makePromise(of: HTTPClientResponse.self)
        promise.completeWithTask {
            let target = try HTTPURL(parsing: url).with(target: "/members")
            let deadlines = HTTPClientDeadlines(connect: .seconds(seconds), head: .seconds(seconds), total: .seconds(seconds))
            return try await HTTPClient(eventLoop: loop).response(
                to: HTTPClientRequest(method: "GET", url: target, deadlines: deadlines), bodyBytesMax: 1 << 20)
        }
        do {
            let response = try promise.futureResult.wait()
            guard response.status == 200, let id = response.headers["X-Etcd-Cluster-Id"].flatMap({ UInt64($0, radix: 16) }) else {
                return (nil, "status \(response.status)")
            }
            let members = try JSONDecoder().decode([Member].self, from: Data(response.body))
            return (RunningCluster(clusterID: id, members: members), "")
        } catch {
            return (nil, "\(error)")
        }
    }
}

extension ServerConfiguration {
    /// The URLs of the other members, sorted.
    private func otherURLs(_ cluster: InitialCluster) -> [String] {
        cluster.members.filter { $0.name != name }.flatMap(\.peerURLs).map(\.text).sorted()
    }

    /// A founder that has been one before and has lost its data directory must not vote once more under its old identity
    /// (cluster.md §3).
    func requireUnknown(_ founding: Founding, on loop: any EventLoop) throws(StartupFailure) {
        guard founding.members.count > 1 else { return }
        for url in otherURLs(try InitialCluster(parsing: initialCluster)) {
            guard let running = RunningCluster.ask(url, seconds: 1, on: loop).cluster else { continue }
            guard running.clusterID == founding.clusterID else {
                throw .fatal(
                    "the member at \(url) is of cluster \(MemberIdentity.text(running.clusterID)), not of "
                        + "\(MemberIdentity.text(founding.clusterID)); to join it, use --initial-cluster-state existing")
            }
            if let own = running.members.first(where: { $0.id == founding.localID }), !(own.clientURLs ?? []).isEmpty {
                throw .fatal("member \(MemberIdentity.text(founding.localID)) has already been bootstrapped")
            }
        }
    }

    /// Takes over the identities of a running cluster to which this member was added (cluster.md §6.1).
    func joining(
        on loop: any EventLoop, surroundings: Surroundings = .live, said: (String) -> Void
    ) throws(StartupFailure) -> Founding {
        let cluster = try InitialCluster(parsing: initialCluster)
        try cluster.verify(name: name, advertised: initialAdvertisePeerURLs, resolve: surroundings.resolve)
        var found: RunningCluster?
        for url in otherURLs(cluster) where found == nil {
            let answer = RunningCluster.ask(url, seconds: 10, on: loop)
            found = answer.cluster
            if found == nil { said("could not get cluster response from \(url): \(answer.said)") }
        }
        guard let found else {
            throw .fatal(
                "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs")
        }
        return try joining(found, cluster, surroundings)
    }

    func joining(
        _ running: RunningCluster, _ cluster: InitialCluster, _ surroundings: Surroundings
    ) throws(StartupFailure) -> Founding {
        guard running.members.count == cluster.members.count else {
            throw .fatal("error validating peerURLs \(running.text): member count is unequal")
        }
        var unmatched = cluster.members
        var members: [Founding.Member] = []
        for member in running.members.sorted(by: { $0.id < $1.id }) {
            let urls = member.peerURLs.compactMap { try? EndpointURL(parsing: $0[...]) }.sorted { $0.text < $1.text }
            var last = ""
            let place = unmatched.firstIndex { candidate in
                guard let difference = InitialCluster.difference(urls, candidate.peerURLs, resolve: surroundings.resolve) else {
                    return true
                }
                last = difference
                return false
            }
            guard let place else {
                throw .fatal(
                    "error validating peerURLs \(running.text): PeerURLs: no match found for existing member "
                        + "(\(MemberIdentity.text(member.id)), [\(member.peerURLs.joined(separator: " "))]), "
                        + "last resolver error (\(last))")
            }
            members.append(Founding.Member(id: member.id, name: unmatched[place].name, peerURLs: member.peerURLs))
            unmatched.remove(at: place)
        }
        guard let local = members.first(where: { $0.name == name }) else {
            throw .fatal("couldn't find local name \(Quoted.go(name)) in the initial cluster configuration")
        }
        return Founding(clusterID: running.clusterID, localID: local.id, members: members, isJoining: true)
    }
}
