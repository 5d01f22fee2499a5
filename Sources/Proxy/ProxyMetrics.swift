import HTTPTransport
import NIOCore

/// Counts what goes through a proxy, with etcd's names (server.md §7). Confined to the proxy's loop.
final class ProxyMetrics {
    enum Trouble: String, CaseIterable {
        case zeroEndpoints = "zero_endpoints"
        case failedSending = "failed_sending_request"
        case failedGetting = "failed_getting_response"
    }

    private struct Method {
        var requests: UInt64 = 0
        var dropped: [Trouble: UInt64] = [:]
        /// By status, which a member chooses among a few.
        var handled: [UInt16: UInt64] = [:]
        /// Not cumulative, the last for all that took longer.
        var durations = [UInt64](repeating: 0, count: ProxyMetrics.bounds.count + 1)
        var nanoseconds: UInt64 = 0
    }

    /// 0.5 ms × 2^0 … 2^12.
    private static let bounds = (0...12).map { UInt64(500_000) << UInt64($0) }

    private var methods: [String: Method] = [:]

    /// A client may send any word for a verb, and each would be a line for ever.
    static func name(_ verb: HTTPVerb) -> String {
        switch verb {
        case .get: "GET"
        case .head: "HEAD"
        case .put: "PUT"
        case .post: "POST"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .other: "OTHER"
        }
    }

    func came(_ verb: HTTPVerb) { methods[Self.name(verb), default: Method()].requests &+= 1 }

    func dropped(_ verb: HTTPVerb, _ trouble: Trouble) {
        methods[Self.name(verb), default: Method()].dropped[trouble, default: 0] &+= 1
    }

    /// The head of the answer is there.
    func handled(_ verb: HTTPVerb, status: UInt16, after time: TimeAmount) {
        let nanoseconds = UInt64(max(0, time.nanoseconds))
        var method = methods[Self.name(verb), default: Method()]
        method.handled[status, default: 0] &+= 1
        method.durations[Self.bounds.firstIndex { nanoseconds <= $0 } ?? Self.bounds.count] &+= 1
        method.nanoseconds &+= nanoseconds
        methods[Self.name(verb)] = method
    }

    func write(into page: inout ByteBuffer) {
        let methods = methods.sorted { $0.key < $1.key }
        page.writeString("# TYPE etcd_proxy_requests_total counter\n")
        for (name, method) in methods { page.writeString("etcd_proxy_requests_total{method=\"\(name)\"} \(method.requests)\n") }
        page.writeString("# TYPE etcd_proxy_handled_total counter\n")
        for (name, method) in methods {
            for (code, count) in method.handled.sorted(by: { $0.key < $1.key }) {
                page.writeString("etcd_proxy_handled_total{code=\"\(code)\",method=\"\(name)\"} \(count)\n")
            }
        }
        page.writeString("# TYPE etcd_proxy_dropped_total counter\n")
        for (name, method) in methods {
            for trouble in Trouble.allCases {
                guard let count = method.dropped[trouble] else { continue }
                page.writeString("etcd_proxy_dropped_total{method=\"\(name)\",proxying_error=\"\(trouble.rawValue)\"} \(count)\n")
            }
        }
        page.writeString("# TYPE etcd_proxy_handling_duration_seconds histogram\n")
        for (name, method) in methods { Self.writeDurations(of: method, name, into: &page) }
    }

    private static func writeDurations(of method: Method, _ name: String, into page: inout ByteBuffer) {
        let metric = "etcd_proxy_handling_duration_seconds"
        var total: UInt64 = 0
        for (place, count) in method.durations.enumerated() {
            total &+= count
            let bound = place < bounds.count ? "\(Double(bounds[place]) / 1e9)" : "+Inf"
            page.writeString("\(metric)_bucket{method=\"\(name)\",le=\"\(bound)\"} \(total)\n")
        }
        page.writeString("\(metric)_sum{method=\"\(name)\"} \(Double(method.nanoseconds) / 1e9)\n")
        page.writeString("\(metric)_count{method=\"\(name)\"} \(total)\n")
    }
}
