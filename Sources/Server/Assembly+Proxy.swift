import ClientAPI
import Discovery
import HTTPTransport
import Logging
import NIOCore
import Proxy
import TLS

/// A process that forwards to a cluster: from its start on, or because the cluster that it was to found with others is complete
/// (server.md §9.1).
extension Assembly {
    /// Where to ask who the members are.
    func peersOfProxy() throws -> [String] {
        let log = Logger(label: "etcdmain")
        log.notice("proxy: this proxy supports v2 API only!")
        let file = ProxyClusterFile(configuration.dataDirectory)
        if let peers = try file.read() {
            for (flag, what) in [(configuration.discovery.url, "discovery token"), (configuration.discovery.domain, "DNS SRV discovery")]
            where !flag.isEmpty {
                log.warning(
                    "\(what) ignored since the proxy has already been initialized. Valid cluster file found at \(Quoted.go(file.path))")
            }
            log.info("proxy: using peer urls [\(peers.joined(separator: " "))] from cluster file \(Quoted.go(file.path))")
            return peers
        }
        let peers: [String]
        if !configuration.discovery.url.isEmpty {
            let token = try configuration.token(asking: questions)
            peers = try ServerConfiguration.cluster(of: questions.wait { try await token.members() }).peerURLs
        } else if !configuration.discovery.domain.isEmpty {
            peers = try configuration.recorded(asking: questions, isMember: false).peerURLs
        } else {
            peers = try InitialCluster(parsing: configuration.initialCluster).peerURLs
        }
        log.info("proxy: using peer urls [\(peers.joined(separator: " "))]")
        return peers
    }

    /// - Parameter doors: bound; the clients' door hands over.
    func becomeProxy(_ doors: NIOLoopBound<Doors>, of peers: [String]) throws {
        let settings = configuration.proxy
        var proxy = ProxyConfiguration()
        proxy.isReadOnly = settings.mode == .readonly
        proxy.failureWait = .milliseconds(Int64(settings.failureWaitMilliseconds))
        proxy.refreshInterval = .milliseconds(Int64(settings.refreshIntervalMilliseconds))
        proxy.dialTimeout = .milliseconds(Int64(settings.dialTimeoutMilliseconds))
        proxy.writeTimeout = .milliseconds(Int64(settings.writeTimeoutMilliseconds))
        proxy.readTimeout = settings.readTimeoutMilliseconds == 0 ? nil : .milliseconds(Int64(settings.readTimeoutMilliseconds))
        proxy.connectionsMax = Descriptors.forwarded(
            limit: Surroundings.live.fileDescriptorLimit(), clients: clientsMax)
        let file = ProxyClusterFile(configuration.dataDirectory)
        try file.prepare()
        let cluster = ProxiedCluster(peers, file: file, ask: questions)
        let policy = BrowserPolicy(origins: configuration.corsOrigins, hosts: [])
        let http = try HTTPClient(eventLoop: loop, tls: policyForMembers())
        let (loop, forwarding) = (loop, proxy)
        try loop.submit {
            let door = ProxyDoor(
                forwarding, policy: policy, http: http, log: Logger(label: "proxy/httpproxy"), loop: loop,
                process: { ProcessPage.write(into: &$0) }, fetch: { await cluster.clientURLs() })
            self.proxy = door
            doors.value.clients.handOver(to: door)
            door.start()
        }.wait()
        let shown = certificates?.clients == nil ? configuration.peerTLS : configuration.clientTLS
        if let file = shown.certificateFile {
            // As with etcd: members see no other certificate than this one.
            Logger(label: "etcdmain").notice(
                "proxy: to members that ask for certificates it shows \(file): clients that send no password have the rights of its common name there")
        }
        for url in configuration.listenClientURLs {
            Logger(label: "etcdmain").info("v2 proxy started listening on client requests on \(Quoted.go(url.text))")
        }
        tellReady()
    }

    /// To members the proxy is a client, and shows what it has for that; when it has nothing, what it has for peers. What members have made for
    /// themselves nobody has signed.
    private func policyForMembers() throws(StartupFailure) -> TLSPolicy {
        guard configuration.clientAutoTLS else { return certificates?.clients ?? certificates?.peers ?? .system }
        var settings = configuration.clientTLS
        settings.trustsAnyServer = true
        do throws(TLSFailure) {
            return try TLSPolicy(settings)
        } catch {
            throw .fatal(error.description)
        }
    }
}
