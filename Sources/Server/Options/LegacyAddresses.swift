/// The four address flags of etcd 0.4.6, said in today's words (server.md §2.6).
enum LegacyAddresses {
    private struct Door {
        let address: String
        let bindAddress: String
        let listen: String
        let advertise: String
        /// What 0.4.6 assumes for `address`.
        let standard: String
        /// With this it listens and advertises with encryption.
        let certificate: String
    }

    private static let doors = [
        Door(
            address: "addr", bindAddress: "bind-addr", listen: "listen-client-urls",
            advertise: "advertise-client-urls", standard: "127.0.0.1:4001", certificate: "cert-file"),
        Door(
            address: "peer-addr", bindAddress: "peer-bind-addr", listen: "listen-peer-urls",
            advertise: "initial-advertise-peer-urls", standard: "127.0.0.1:7001", certificate: "peer-cert-file"),
    ]

    /// Replaces old flags by the new ones they mean.
    ///
    /// - Throws: `.verification` when both generations name the same address.
    static func translate(_ settings: inout Settings, surroundings: Surroundings) throws(StartupFailure) {
        for door in doors {
            try refuseBoth(door.advertise, door.address, settings)
            try refuseBoth(door.listen, door.bindAddress, settings)
            guard settings.isGiven(door.address) || settings.isGiven(door.bindAddress) else { continue }
            let source = settings.source(of: door.address) ?? settings.source(of: door.bindAddress) ?? .flag
            let given = settings.isGiven(door.address) ? settings.text(door.address) : door.standard
            guard let address = HostAndPort(bare(given)), let port = address.port else { continue }
            let isEncrypted = settings.isGiven(door.certificate)
            let url = { (host: String, port: UInt16) in self.url(host, port, isEncrypted: isEncrypted) }
            if !settings.isGiven(door.advertise) {
                settings.set(door.advertise, to: url(address.host, port), from: source)
            }
            if let bind = HostAndPort(bare(settings.text(door.bindAddress))), settings.isGiven(door.bindAddress) {
                let host = bind.host.isEmpty ? "0.0.0.0" : bind.host
                settings.set(door.listen, to: url(host, bind.port ?? port), from: source)
            } else if !settings.isGiven(door.listen) {
                settings.set(door.listen, to: url(listenHost(address.host, surroundings), port), from: source)
            }
        }
    }

    /// The peer URLs of `-peers` and `-peers-file`, in the order given, without this member's own: in 0.4.6 a list that names
    /// only the member itself is none.
    ///
    /// - Throws: `.verification` for an item that is no address, or a file that cannot be read.
    static func peers(
        _ settings: Settings, own: [EndpointURL], surroundings: Surroundings
    ) throws(StartupFailure) -> [EndpointURL] {
        var items = Blanks.items(settings.text("peers"))
        if settings.isGiven("peers-file") {
            let path = settings.text("peers-file")
            switch surroundings.readFile(path) {
            case .failed(let reason): throw .verification("open \(path): \(reason)")
            case .text(let text): items += Blanks.items(text.split(whereSeparator: \.isNewline).joined(separator: ","))
            }
        }
        var peers: [EndpointURL] = []
        for item in items {
            guard let address = HostAndPort(bare(item)), let port = address.port, !address.host.isEmpty,
                let url = try? EndpointURL(parsing: self.url(address.host, port, isEncrypted: settings.isGiven("peer-cert-file")))
            else { throw .verification("-peers has \(Quoted.go(item)), which does not have the form host:port") }
            if !own.contains(url), !peers.contains(url) { peers.append(url) }
        }
        return peers
    }

    /// 0.4.6 took URLs, too.
    static func bare(_ text: String) -> Substring {
        for scheme in ["http://", "https://"] where text.hasPrefix(scheme) { return text.dropFirst(scheme.count) }
        return text[...]
    }

    /// The documents of 0.4.6 say it listens on the advertised host, its code listens everywhere: the host
    /// when it is ours, else everywhere (an address behind NAT cannot be bound).
    private static func listenHost(_ host: String, _ surroundings: Surroundings) -> String {
        host == "localhost" || (EndpointURL.isAddress(host) && surroundings.isLocalAddress(host)) ? host : "0.0.0.0"
    }

    private static func url(_ host: String, _ port: UInt16, isEncrypted: Bool) -> String {
        "\(isEncrypted ? "https" : "http")://\(HostAndPort.bracketed(host)):\(port)"
    }

    private static func refuseBoth(_ new: String, _ old: String, _ settings: Settings) throws(StartupFailure) {
        if settings.isGiven(new), settings.isGiven(old) {
            throw .verification("Set only one of flags -\(new) and -\(old)")
        }
    }
}
