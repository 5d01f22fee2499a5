import Foundation
import HTTPTransport
import NIOConcurrencyHelpers
import NIOCore
import TLS

/// What a member says of its cluster on its peer port (cluster.md §4).
struct RunningCluster: Equatable, Sendable {
    struct Member: Decodable, Equatable, Sendable {
        let id: UInt64
        let peerURLs: [String]
        var name: String?
        var clientURLs: [String]?

        /// It has served clients under this identity.
        var isPublished: Bool { !(clientURLs ?? []).isEmpty }
    }

    let clusterID: UInt64
    let members: [Member]
    /// `3.4.0`; nil when it was not asked for, or not decided.
    var version: String?

    /// Has had a leader; one whose founders are still gathering has not.
    var isFounded: Bool { members.contains(where: \.isPublished) }

    /// As Go prints the structure.
    var text: String {
        let list = members.map { member in
            let urls = (member.clientURLs ?? []).joined(separator: " ")
            return "&{ID:\(MemberIdentity.text(member.id)) RaftAttributes:{PeerURLs:[\(member.peerURLs.joined(separator: " "))]"
                + " IsLearner:false} Attributes:{Name:\(member.name ?? "") ClientURLs:[\(urls)]}}"
        }
        return "{ClusterID:\(MemberIdentity.text(clusterID)) Members:[\(list.joined(separator: " "))] RemovedMemberIDs:[]}"
    }
}

/// Asks members on their peer ports. For the time before there is a replica.
struct PeerQuestions: Sendable {
    let loop: any EventLoop
    /// For peer URLs that are `https`.
    var tls = TLSPolicy.system
    /// Asked before each question and while it waits for its answer: whether the process shall stop.
    var isOver: @Sendable () -> Bool = { false }

    enum Failure: Error, CustomStringConvertible {
        case status(Int)
        /// It waits for the others to tell.
        case knowsNobody

        var description: String {
            switch self {
            case .status(let status): "status \(status)"
            case .knowsNobody: "it does not know the members yet"
            }
        }
    }

    /// - Parameter url: a peer URL.
    func cluster(at url: String, seconds: Int) async throws -> RunningCluster {
        let response = try await get("/members", at: url, seconds)
        guard response.status == 200, let id = response.headers["X-Etcd-Cluster-Id"].flatMap({ UInt64($0, radix: 16) }) else {
            throw Failure.status(response.status)
        }
        let members = try JSONDecoder().decode([RunningCluster.Member].self, from: Data(response.body))
        if members.isEmpty { throw Failure.knowsNobody }
        return RunningCluster(clusterID: id, members: members)
    }

    /// The cluster version that the member tells; nil when none is decided, or the member does not tell.
    func clusterVersion(at url: String, seconds: Int) async -> String? {
        struct Versions: Decodable { let etcdcluster: String? }
        guard let response = try? await get("/version", at: url, seconds), response.status == 200 else { return nil }
        let version = try? JSONDecoder().decode(Versions.self, from: Data(response.body)).etcdcluster
        return version == "not_decided" ? nil : version
    }

    func get(_ target: String, at url: String, _ seconds: Int) async throws -> HTTPClientResponse {
        try await send(HTTPClientRequest(method: "GET", url: HTTPURL(parsing: url).with(target: target), deadlines: Self.within(seconds)))
    }

    func send(_ request: HTTPClientRequest) async throws -> HTTPClientResponse {
        try await HTTPClient(eventLoop: loop, tls: tls).response(to: request, bodyBytesMax: 1 << 20)
    }

    /// - Throws: `CancellationError`.
    func pause(milliseconds: Int) throws { try wait { try await Task.sleep(for: .milliseconds(milliseconds)) } }

    static func within(_ seconds: Int) -> HTTPClientDeadlines {
        HTTPClientDeadlines(connect: .seconds(seconds), head: .seconds(seconds), total: .seconds(seconds))
    }

    /// Runs a question to its end on the calling thread, which must not be that of the loop.
    ///
    /// - Throws: `CancellationError` when `isOver` before.
    func wait<Value: Sendable>(for question: @escaping @Sendable () async throws -> Value) throws -> Value {
        // Short questions in a row must not outrun it.
        if isOver() { throw CancellationError() }
        let promise = loop.makePromise(of: Value.self)
        promise.completeWithTask { try await question() }
        let isAnswered = ConditionLock(value: false)
        promise.futureResult.whenComplete { _ in
            isAnswered.lock()
            isAnswered.unlock(withValue: true)
        }
        while !isAnswered.lock(whenValue: true, timeoutSeconds: 0.1) {
            if isOver() { throw CancellationError() }
        }
        isAnswered.unlock()
        return try promise.futureResult.wait()
    }
}
