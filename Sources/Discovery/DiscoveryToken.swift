import HTTPTransport

/// A discovery URL: the directory of another cluster's keys where the founders of a new one find each other (cluster.md §7).
///
/// What happens there is looked at anew after each change, never counted: a registration that an operator takes away is gone, and one
/// that was made before a crash is found again.
package struct DiscoveryToken: Sendable {
    /// As given: part of all identities.
    package let text: String
    private let keys: DiscoveryKeys
    private let said: @Sendable (String) -> Void

    /// Seconds between two attempts double until here (2^8).
    private static let doublingsMax = 8

    /// - Parameters:
    ///   - proxy: an HTTP proxy by which the URL is asked, with or without scheme; empty: none.
    ///   - said: hears how it goes on, in etcd's words.
    package init(
        parsing text: String, proxy: String, http: HTTPClient, said: @escaping @Sendable (String) -> Void
    ) throws(DiscoveryFailure) {
        self.text = text
        self.said = said
        do throws(HTTPClientError) {
            var url = try HTTPURL(parsing: text)
            url = url.with(target: String(url.target.prefix { $0 != "?" }.trimmingSlashes))
            if !proxy.isEmpty { url = try url.through(try HTTPURL(parsing: proxy.contains("://") ? proxy : "http://" + proxy)) }
            keys = DiscoveryKeys(directory: url, http: http)
        } catch {
            throw .refused(error.description)
        }
    }

    /// What the founders have registered, the first first; as many as the cluster shall have.
    package struct Founders: Equatable, Sendable {
        /// `name=url`, several joined with commas.
        package let values: [String]
        /// This member had registered before: in an earlier life that ended while it waited, or in one that went on.
        package var wasRegistered = false
    }

    /// Registers a member and waits until the cluster is complete.
    ///
    /// - Parameters:
    ///   - id: its identity in hexadecimal.
    ///   - value: `name=url`, several joined with commas.
    /// - Throws: `DiscoveryFailure`, `CancellationError`.
    package func join(_ id: String, value: String) async throws -> Founders {
        try await gather(Own(id: id, value: value))
    }

    /// Waits until the cluster is complete, and takes no place in it.
    ///
    /// - Throws: `DiscoveryFailure`, `CancellationError`.
    package func members() async throws -> [String] { try await gather(nil).values }

    private struct Own {
        let id: String
        let value: String
    }

    private func gather(_ own: Own?) async throws -> Founders {
        var progress = Progress(own: own?.id, said: said)
        var failures = 0
        var wasRegistered = false
        while true {
            do {
                let state = try await keys.state()
                let founders = state.registered.prefix(state.size)
                if let own {
                    guard let registered = founders.first(where: { $0.id == own.id }) else {
                        if founders.count == state.size { throw DiscoveryFailure.clusterIsFull(founders.map(\.value)) }
                        // Another answer of the service may be older than that of the registration.
                        if try await !keys.register(own.id, own.value) {
                            if !progress.isRegistered { wasRegistered = true }
                            try await Task.sleep(for: .milliseconds(200))
                        }
                        progress.isRegistered = true
                        continue
                    }
                    guard registered.value == own.value else { throw DiscoveryFailure.duplicateID }
                    if !progress.isRegistered { wasRegistered = true }
                    progress.isRegistered = true
                }
                progress.found(founders.map(\.id), size: state.size)
                if founders.count == state.size { return Founders(values: founders.map(\.value), wasRegistered: wasRegistered) }
                failures = 0
                try await keys.waitForChange(after: state.index)
                // A service that does not wait must not be asked without pause.
                try await Task.sleep(for: .milliseconds(50))
            } catch let error as DiscoveryKeys.Unreachable {
                failures += 1
                let seconds = 1 << min(failures, Self.doublingsMax)
                let step = progress.isRegistered ? "waiting for other nodes" : "cluster status check"
                said("\(step): error connecting to \(text), retrying in \(Self.duration(seconds)) (\(error.reason))")
                try await Task.sleep(for: .seconds(seconds))
            }
        }
    }

    /// As Go prints it: `4s`, `1m4s`.
    private static func duration(_ seconds: Int) -> String {
        seconds < 60 ? "\(seconds)s" : "\(seconds / 60)m\(seconds % 60)s"
    }
}

/// Tells each founder once.
private struct Progress {
    let own: String?
    let said: @Sendable (String) -> Void
    var isRegistered = false
    private var known: Set<String> = []
    private var count = -1

    init(own: String?, said: @escaping @Sendable (String) -> Void) {
        self.own = own
        self.said = said
    }

    mutating func found(_ ids: [String], size: Int) {
        for id in ids where known.insert(id).inserted { said("found \(id == own ? "self" : "peer") \(id) in the cluster") }
        known.formIntersection(ids)
        if ids.count == size {
            said("found \(size) needed peer(s)")
        } else if ids.count != count {
            said("found \(ids.count) peer(s), waiting for \(size - ids.count) more")
        }
        count = ids.count
    }
}

extension Substring {
    fileprivate var trimmingSlashes: Substring {
        var text = self
        while text.hasSuffix("/") { text.removeLast() }
        return text
    }
}
