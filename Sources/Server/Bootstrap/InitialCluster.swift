import Wire

/// The members named by `--initial-cluster`: `a=http://…,b=http://…`, a name as often as it has URLs.
package struct InitialCluster: Equatable, Sendable {
    package struct Member: Equatable, Sendable {
        package let name: String
        /// Sorted; duplicates are kept, the checks want to see them.
        package let peerURLs: [EndpointURL]
    }

    /// Sorted by name.
    package let members: [Member]

    /// As etcd prints it: every URL with its member's name.
    package var text: String { Self.text(members) }

    static func text(_ members: [Member]) -> String {
        members.flatMap { member in member.peerURLs.map { "\(member.name)=\($0.text)" } }.joined(separator: ",")
    }

    /// - Throws: `.fatal` for an item that is no `name=url`.
    package init(parsing text: String) throws(StartupFailure) {
        var urls: [String: [EndpointURL]] = [:]
        for item in text.split(separator: ",") {
            let name = item.prefix { $0 != "=" }
            do throws(URLProblem) {
                let url = try EndpointURL(parsing: item.dropFirst(name.count + 1))
                urls[String(name), default: []].append(url)
            } catch {
                throw .fatal("error setting up initial cluster: \(error.text)")
            }
        }
        members = urls.sorted { $0.key < $1.key }.map { name, urls in
            Member(name: name, peerURLs: urls.sorted { $0.text < $1.text })
        }
    }

    /// The checks of a static bootstrap, in etcd's order and words (server.md §3).
    ///
    /// - Parameters:
    ///   - name: this member's name.
    ///   - advertised: its `--initial-advertise-peer-urls`.
    ///   - resolve: an address of a host name; nil when unknown.
    func verify(
        name: String, advertised: [EndpointURL], resolve: (String) -> String?
    ) throws(StartupFailure) {
        guard let local = members.first(where: { $0.name == name }) else {
            throw .fatal("couldn't find local name \(Quoted.go(name)) in the initial cluster configuration")
        }
        if let difference = Self.difference(advertised, local.peerURLs, resolve: resolve) {
            try Self.explain(difference, local: local, advertised: advertised)
        }
        let all = members.flatMap(\.peerURLs)
        guard Set(all).count == all.count else {
            throw .fatal("initial cluster \(text) has duplicate url")
        }
    }

    /// Says which side lacks a URL; etcd prints what is advertised in both places of the last two sentences.
    private static func explain(
        _ difference: String, local: Member, advertised: [EndpointURL]
    ) throws(StartupFailure) {
        let ours = advertised.map(\.text).joined(separator: ",")
        let cluster = text([Member(name: local.name, peerURLs: advertised)])
        let unadvertised = local.peerURLs.filter { !advertised.contains($0) }
        if !unadvertised.isEmpty {
            let missing = text([Member(name: local.name, peerURLs: unadvertised)])
            throw .fatal(
                "--initial-cluster has \(missing) but missing from --initial-advertise-peer-urls=\(ours) (\(difference))"
            )
        }
        let unlisted = advertised.filter { !local.peerURLs.contains($0) }
        if !unlisted.isEmpty {
            let missing = unlisted.map(\.text).joined(separator: ",")
            throw .fatal("--initial-advertise-peer-urls has \(missing) but missing from --initial-cluster=\(cluster)")
        }
        throw .fatal("failed to resolve \(ours) to match --initial-cluster=\(cluster) (\(difference))")
    }

    /// Nil when both lists lead to the same addresses: `http://node1:2380` equals the URL with node1's address.
    static func difference(
        _ left: [EndpointURL], _ right: [EndpointURL], resolve: (String) -> String?
    ) -> String? {
        if left == right { return nil }
        guard left.count == right.count else {
            return "len(\(Quoted.list(left.map(\.text)))) != len(\(Quoted.list(right.map(\.text))))"
        }
        let left = left.map { Resolved($0, resolve) }.sorted { $0.canonical < $1.canonical }
        let right = right.map { Resolved($0, resolve) }.sorted { $0.canonical < $1.canonical }
        return zip(left, right).first { $0.canonical != $1.canonical }.map { one, other in
            "resolved urls: \(Quoted.go(one.text)) != \(Quoted.go(other.text))"
        }
    }

    /// A URL with an address in the place of a host name. `localhost` stays a name: as in etcd it differs from 127.0.0.1, because it gives
    /// another identity.
    private struct Resolved {
        let text: String
        let canonical: String

        init(_ url: EndpointURL, _ resolve: (String) -> String?) {
            if !url.scheme.isSocketFile, HostSpelling.canonical(host: url.host) != "localhost", !EndpointURL.isAddress(url.host),
                let address = resolve(url.host)
            {
                text = "\(url.scheme.rawValue)://\(HostAndPort.bracketed(address)):\(url.port)"
            } else {
                text = url.text
            }
            canonical = HostSpelling.canonical(url: text)
        }
    }
}
