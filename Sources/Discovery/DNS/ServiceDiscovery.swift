/// The servers of a domain, as its service records tell: `_etcd-server-ssl._tcp.example.com` for https, `_etcd-server._tcp.example.com` for
/// http (cluster.md §8).
package enum ServiceDiscovery {
    package struct Target: Equatable, Sendable {
        package let scheme: String
        /// `etcd-server-ssl`.
        package let service: String
        package let host: String
        package let port: UInt16

        package init(scheme: String, service: String, host: String, port: UInt16) {
            (self.scheme, self.service, self.host, self.port) = (scheme, service, host, port)
        }

        package var url: String { "\(scheme)://\(host):\(port)" }
    }

    /// Of clients' targets, those that may be used, and what etcd says of the others.
    package static func secure(_ targets: [Target], orAny isAnyAllowed: Bool) -> (targets: [Target], ignored: [String]) {
        func isTaken(_ target: Target) -> Bool { isAnyAllowed || target.scheme == "https" }
        let ignored = targets.filter { !isTaken($0) }
        return (targets.filter(isTaken), ignored.map { "ignoring discovered insecure endpoint \"\($0.scheme)://\($0.host).:\($0.port)\"" })
    }

    /// Neither has records.
    package struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
        /// Of `-ssl` and of the other: the service and why.
        package let reasons: [(service: String, reason: String)]

        package init(reasons: [(service: String, reason: String)]) { self.reasons = reasons }

        package var description: String { "dns lookup errors: " + reasons.map(\.reason).joined(separator: " and ") }

        package static func == (left: Failure, right: Failure) -> Bool {
            left.reasons.elementsEqual(right.reasons) { $0 == $1 }
        }
    }

    /// Blocks its thread, see `DNSResolver`.
    ///
    /// - Parameters:
    ///   - service: `etcd-server` or `etcd-client`.
    ///   - suffix: further part of the service's name; empty: none.
    /// - Returns: those for https first, each kind by name and port.
    package static func targets(
        _ service: String, suffix: String, domain: String, resolver: DNSResolver = .system
    ) throws(Failure) -> [Target] {
        var targets: [Target] = []
        var reasons: [(String, String)] = []
        let end = suffix.isEmpty ? "" : "-" + suffix
        for (scheme, name) in [("https", "\(service)-ssl\(end)"), ("http", service + end)] {
            do {
                let records = try resolver.services("_\(name)._tcp.\(domain)").sorted { ($0.target, $0.port) < ($1.target, $1.port) }
                targets += records.map { Target(scheme: scheme, service: name, host: $0.target, port: $0.port) }
            } catch {
                reasons.append((name, error.description))
            }
        }
        guard !targets.isEmpty else { throw Failure(reasons: reasons) }
        return targets
    }
}
