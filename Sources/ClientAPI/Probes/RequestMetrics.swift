import HTTPTransport
import NIOCore

/// Counts the requests of `/v2/keys` as etcd does: after parsing, without watches, by Raft method (server.md §7).
final class RequestMetrics {
    enum Method: Int, CaseIterable {
        case get, quorumGet, put, post, delete

        var name: String {
            switch self {
            case .get: "GET"
            case .quorumGet: "QGET"
            case .put: "PUT"
            case .post: "POST"
            case .delete: "DELETE"
            }
        }
    }

    /// A request on its way.
    struct Measure {
        let method: Method
        let start: NIODeadline
    }

    struct Figures {
        /// Successful durations in buckets of 0.5 ms × 2^0 … 2^12, the last for longer ones; not cumulative.
        var durations = [UInt64](repeating: 0, count: RequestMetrics.bucketCount + 1)
        var nanoseconds: UInt64 = 0
        var received: UInt64 = 0
        var failed: [(code: UInt16, count: UInt64)] = []
    }

    static let bucketCount = 13

    private(set) var figures = [Figures](repeating: Figures(), count: Method.allCases.count)

    func begin(_ method: Method) -> Measure {
        figures[method.rawValue].received &+= 1
        return Measure(method: method, start: .now())
    }

    func end(_ measure: Measure) {
        let elapsed = UInt64(max(0, (NIODeadline.now() - measure.start).nanoseconds))
        var bucket = 0
        var bound: UInt64 = 500_000
        while bucket < Self.bucketCount, elapsed > bound {
            bucket += 1
            bound *= 2
        }
        figures[measure.method.rawValue].durations[bucket] &+= 1
        figures[measure.method.rawValue].nanoseconds &+= elapsed
    }

    func end(_ measure: Measure, failedWith status: HTTPStatus) {
        let method = measure.method.rawValue
        if let known = figures[method].failed.firstIndex(where: { $0.code == status.code }) {
            figures[method].failed[known].count &+= 1
        } else {
            figures[method].failed.append((status.code, 1))
        }
    }
}
