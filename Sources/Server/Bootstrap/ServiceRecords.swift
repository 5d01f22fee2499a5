import Discovery
import Logging
import NIOPosix

/// The founders as DNS tells them (cluster.md §8).
struct RecordedCluster {
    /// As `--initial-cluster` would have it. Of the others' names nothing depends.
    let text: String
    let notices: [Notice]

    /// - Parameters:
    ///   - name: of this member.
    ///   - own: its peer URLs.
    ///   - addresses: of a host; none when it is unknown.
    init(
        _ targets: [ServiceDiscovery.Target], name: String, own: [EndpointURL], addresses: (String) -> Set<String>
    ) throws(StartupFailure) {
        var places: [(url: EndpointURL, addresses: Set<String>)] = []
        for url in own where !url.scheme.isSocketFile {
            let found = addresses(url.host)
            guard !found.isEmpty else { throw Self.failure("lookup \(url.host): no such host") }
            places.append((url, found))
        }
        var items: [String] = []
        var notices: [Notice] = []
        var placeholders = 0
        for target in targets {
            let url = "\(target.scheme)://\(target.host):\(target.port)"
            let found = addresses(target.host)
            guard !found.isEmpty else {
                notices.append(Notice(.warning, "embed", "\(url) from DNS for \(target.service) left out: lookup \(target.host): no such host"))
                continue
            }
            let match = places.first { place in
                place.url.port == target.port && (place.url.host == target.host || !place.addresses.isDisjoint(with: found))
            }
            if let match, match.url.scheme.rawValue != target.scheme {
                throw Self.failure(
                    "bootstrap at \(url) from DNS for \(target.service) has scheme mismatch with expected peer \(match.url.text)")
            }
            items.append("\(match == nil ? String(placeholders) : name)=\(url)")
            if match == nil { placeholders += 1 }
            notices.append(Notice(.notice, "embed", "got bootstrap from DNS for \(target.service) at \(items.last ?? "")"))
        }
        guard !items.isEmpty else { throw Self.failure("no target of the records of \(targets.map(\.service).first ?? "") has an address") }
        text = items.joined(separator: ",")
        self.notices = notices
    }

    static func failure(_ reason: String) -> StartupFailure { .fatal("error setting up initial cluster: \(reason)") }
}

extension ServerConfiguration {
    /// - Parameter isMember: This process must be among them; a proxy need not.
    func recorded(asking ask: PeerQuestions, isMember: Bool = true) throws -> InitialCluster {
        let (domain, suffix) = (discovery.domain, discovery.serviceName)
        let (name, own) = (name, isMember ? initialAdvertisePeerURLs : [])
        // It blocks, and not a thread that others need.
        let cluster = try ask.wait { () async throws -> RecordedCluster in
            try await NIOThreadPool.singleton.runIfActive {
                do {
                    let targets = try ServiceDiscovery.targets("etcd-server", suffix: suffix, domain: domain)
                    return try RecordedCluster(targets, name: name, own: own, addresses: HostAddresses.of)
                } catch let error as ServiceDiscovery.Failure {
                    let reasons = error.reasons.map { "error querying DNS SRV records for _\($0.service) \($0.reason)" }
                    throw RecordedCluster.failure(reasons.joined(separator: "; "))
                }
            }
        }
        for notice in cluster.notices { Logger(label: notice.label).log(level: notice.level, "\(notice.text)") }
        let found = try InitialCluster(parsing: cluster.text)
        guard !isMember || found.members.contains(where: { $0.name == name }) else {
            throw RecordedCluster.failure("cannot find local etcd member \(Quoted.go(name)) in SRV records")
        }
        return found
    }
}
