import HTTPTransport
import Keyspace
import NIOCore
import ReplicaHost

/// `/health`: the member serves, the disk has room, a leader is known, and a quorum confirms within a second that it still leads
/// (server.md §5.1).
final class HealthProbe {
    /// Nil before there is one.
    var replica: (any ReplicaDoor)?
    /// The member serves clients.
    var isReady = false
    private(set) var successes: UInt64 = 0
    private(set) var failures: UInt64 = 0

    /// Never made by anyone, so that the read costs a look and no listing; "not found" is as good an answer as any.
    private static let path = TreePath("/_etclite/health")
    private static let limit = TimeAmount.seconds(1)

    private static let healthy = ByteBuffer(string: "{\"health\":\"true\"}")
    private static let unhealthy = ByteBuffer(string: "{\"health\":\"false\"}\n")
    /// etcd goes on with a full quota, under an alarm of this name; with a full disk it ends. The reason is how 3.5 tells it.
    private static let full = ByteBuffer(string: "{\"health\":\"false\",\"reason\":\"ALARM NOSPACE\"}\n")

    private static let starting = ByteBuffer(string: "{\"health\":\"false\",\"reason\":\"NOT READY, STARTING\"}\n")
    private static let leaderless = ByteBuffer(string: "{\"health\":\"false\",\"reason\":\"NOT READY, NO LEADER\"}\n")

    func respond(to request: HTTPRequest, query: Range<Int>?, on exchange: HTTPExchange) {
        guard let replica else { return finish(false, Self.starting, on: exchange) }
        let status = replica.status
        if !isReady { return finish(false, status.leader == 0 ? Self.leaderless : Self.starting, on: exchange) }
        if status.isDiskFull, !Self.excludesFullDisk(request, query) { return finish(false, Self.full, on: exchange) }
        guard status.leader != 0 else { return finish(false, on: exchange) }
        // Whoever comes first answers; the exchange is closed for the other.
        let bound = NIOLoopBound((self, exchange), eventLoop: exchange.eventLoop)
        let timer = exchange.eventLoop.scheduleTask(in: Self.limit) {
            let (probe, exchange) = bound.value
            probe.finish(false, on: exchange)
        }
        replica.read(Self.path, recursive: false, quorum: true) { [self] result in
            timer.cancel()
            if case .unavailable = result.outcome { finish(false, on: exchange) } else { finish(true, on: exchange) }
        }
    }

    /// `?exclude=NOSPACE`: for whoever asks only whether reads can be had.
    private static func excludesFullDisk(_ request: HTTPRequest, _ query: Range<Int>?) -> Bool {
        guard let query else { return false }
        return request.withTarget { String(decoding: $0.extracting(query).array, as: UTF8.self) }.split(separator: "&").contains("exclude=NOSPACE")
    }

    private func finish(_ isHealthy: Bool, _ reason: ByteBuffer = unhealthy, on exchange: HTTPExchange) {
        guard exchange.isOpen else { return }
        if isHealthy {
            successes &+= 1
            exchange.respond(.ok, .text, body: Self.healthy)
        } else {
            failures &+= 1
            exchange.respond(.serviceUnavailable, .text, body: reason, fields: PlainAnswers.addNoSniff)
        }
    }
}
