import ClientAPI
import Discovery
import Glibc
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import PeerTransport
import Proxy
import Raft
import ReplicaHost
import Storage
import Synchronization
import TLS
import Wire

/// Builds the rooms in order, and takes them down in the opposite one.
///
/// `@unchecked Sendable`: `start` and `stop` are called by the main thread, one after the other; what lives on the loop is touched
/// there only.
final class Assembly: @unchecked Sendable {
    let configuration: ServerConfiguration
    private let arguments: [String]
    private let environment: [String: String]
    private let isReady = Atomic<Bool>(false)
    /// Who keeps something from files adds itself.
    var reloading = Reload()
    private let embed = Logger(label: "embed")
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop: any EventLoop
    private var listeners: [Listener] = []
    private var peerListener: Listener?
    private var replica: ReplicaService?
    var proxy: ProxyDoor?
    /// Connections of clients at a time.
    private(set) var clientsMax = 0
    private let directory: DataDirectory
    /// The founders, when `--initial-cluster` does not name them.
    private var discovered: DiscoveredCluster?
    private(set) var certificates: Certificates?

    init(_ configuration: ServerConfiguration, arguments: [String], environment: [String: String]) {
        self.configuration = configuration
        self.arguments = arguments
        self.environment = environment
        loop = group.next()
        directory = DataDirectory(path: configuration.dataDirectory)
        Watchdog.start(environment, on: loop)
    }

    private func tellSystem(_ text: String) { SystemNotification.send(text, socketPath: environment["NOTIFY_SOCKET"]) }

    /// Returns when the ports are bound and the data directory is open; clients are served when the member is published.
    func start() {
        do {
            let certificates = try Certificates(configuration)
            self.certificates = certificates
            let doors = try bindAll(certificates)
            certificates.watch()
            reloading.hooks.append { certificates.reload() }
            if configuration.isProxy { return try becomeProxy(doors, of: peersOfProxy()) }
            if !directory.isInitialised {
                // Before anything is written: a proxy must not leave a member's directory behind.
                do {
                    try discover()
                } catch DiscoveryFailure.clusterIsFull(let founders) where configuration.discovery.fallsBackToProxy {
                    Logger(label: "etcdmain").notice("discovery cluster full, falling back to proxy")
                    try closePeerPort()
                    return try becomeProxy(doors, of: ServerConfiguration.cluster(of: founders).peerURLs)
                }
            }
            for stray in try directory.openForServing() {
                Logger(label: "etcdserver").warning(
                    "found invalid file/dir \(stray) under data dir \(configuration.dataDirectory) (Ignore this if you are upgrading etcd)")
            }
            try openReplica(doors)
        } catch let failure as StartupFailure {
            Assembly.die(sentence(of: failure), further: discovered?.wasRegistered == true ? configuration.registeredBefore : [])
        } catch let failure as DiscoveryFailure {
            Assembly.die(configuration.explanation(of: failure))
        } catch is CancellationError {
            // The process shall stop.
        } catch {
            Assembly.die("\(error)")
        }
    }

    private func discover() throws {
        guard discovered == nil else { return }
        discovered = try configuration.discovered(asking: questions)
    }

    var questions: PeerQuestions { PeerQuestions(loop: loop, tls: certificates?.peers ?? .system) { Signals.isEndAsked } }

    private func sentence(of failure: StartupFailure) -> String {
        switch failure {
        case .usage(let text), .verification(let text, _), .plain(let text), .fatal(let text): text
        }
    }

    // MARK: Ports

    /// What answers at the ports while the member is starting.
    struct Doors {
        let clients: ClientDoor
        let peers: ReadyGate
    }

    private func bindAll(_ certificates: Certificates) throws -> NIOLoopBound<Doors> {
        let (api, timeout) = (api, configuration.requestTimeoutMilliseconds)
        let doors = try loop.submit { [loop] in
            let clients = ClientDoor(configuration: api, loop: loop)
            return NIOLoopBound(Doors(clients: clients, peers: ReadyGate(loop: loop, timeoutMilliseconds: timeout)), eventLoop: loop)
        }.wait()
        let limit = Surroundings.live.fileDescriptorLimit()
        let shares = configuration.isProxy ? Descriptors.ofProxy(limit: limit) : Descriptors(limit: limit)
        try bind(configuration.isProxy ? [] : configuration.listenPeerURLs, certificates.peers, connectionsMax: shares.peers, "listening for peers on") { listener in
            self.peerListener = listener
            listener.secondProtocol = PeerLinks.closed
        } responder: {
            doors.value.peers
        }
        let log = embed
        let clientsMax = min(configuration.limits.connectionsMax, shares.clients)
        self.clientsMax = clientsMax
        if clientsMax < configuration.limits.connectionsMax {
            embed.notice("client connections are limited to \(clientsMax) by the file descriptor limit; members and files need the rest")
        }
        try bind(configuration.listenClientURLs, certificates.clients, connectionsMax: clientsMax) { listener in
            doors.value.clients.listener = listener
            listener.crowded = {
                log.warning(
                    """
                    there are \(clientsMax) client connections, and no more are taken until some are closed \
                    (--max-connections and the file descriptor limit set the number)
                    """)
            }
        } responder: {
            doors.value.clients
        }
        try bind(configuration.listenMetricsURLs, certificates.clients, connectionsMax: shares.metrics) { _ in
        } responder: {
            MetricsDoor(doors.value.clients)
        }
        return doors
    }

    /// - Parameters:
    ///   - made: hears of the listener before it accepts; on the loop, as `responder`.
    private func bind(
        _ urls: [EndpointURL], _ policy: TLSPolicy?, connectionsMax: Int, _ said: String? = nil, made: @escaping @Sendable (Listener) -> Void,
        responder: @escaping @Sendable () -> any HTTPResponder
    ) throws {
        guard !urls.isEmpty else { return }
        var limits = configuration.limits.transport
        limits.connectionsMax = connectionsMax
        let listener = try loop.submit { [loop, limits] in
            let listener = Listener(responder: responder(), limits: limits, loop: loop)
            made(listener)
            let log = Logger(label: "embed")
            listener.rejected = { address, reason, others in
                let more = others > 0 ? "; \(others) others since" : ""
                log.warning("rejected connection from \"\(address)\" (error \"\(reason)\", ServerName \"\")\(more)")
            }
            // Kept here for `stop`, touched on the loop.
            self.listeners.append(listener)
            return NIOLoopBound(listener, eventLoop: loop)
        }.wait()
        for (url, urls) in sharedAddresses(urls) {
            do {
                let security = certificates?.security(of: urls, policy) ?? .clear
                _ = try loop.flatSubmit { listener.value.bind(url.address, security) }.wait()
            } catch {
                let reason = (error as? IOError).map { FileOperations.systemText($0.errnoCode) } ?? "\(error)"
                throw StartupFailure.fatal("listen \(url.scheme.isSocketFile ? "unix" : "tcp") \(url.hostAndPort): bind: \(reason)")
            }
            if let said { embed.info("\(said) \(url.hostAndPort)") }
        }
    }

    /// One address may be listed with both schemes; it is bound once.
    private func sharedAddresses(_ urls: [EndpointURL]) -> [(EndpointURL, [EndpointURL])] {
        var addresses: [(EndpointURL, [EndpointURL])] = []
        for url in urls {
            if url.port != 0 || url.scheme.isSocketFile, let place = addresses.firstIndex(where: { $0.0.address == url.address }) {
                addresses[place].1.append(url)
            } else {
                addresses.append((url, [url]))
            }
        }
        return addresses
    }

    // MARK: The replica and its doors

    private func openReplica(_ doors: NIOLoopBound<Doors>) throws {
        var settings = ReplicaConfiguration(
            name: configuration.name, peerURLs: configuration.initialAdvertisePeerURLs.map(\.text),
            clientURLs: configuration.advertiseClientURLs.map(\.text), member: .none, cluster: .none)
        if try !LogStore.hasIdentity(directory.log) {
            let founding = try who(doors)
            settings.member = MemberID(founding.localID)
            settings.cluster = MemberID(founding.clusterID)
            settings.isJoining = founding.isJoining
            let members = founding.members.map { Member(id: MemberID($0.id), name: $0.name, peerURLs: $0.peerURLs) }
            if founding.isJoining { settings.joinPeers = members } else { settings.founders = members }
        }
        settings.snapshotCount = configuration.snapshotCount
        settings.historyEvents = configuration.historyEvents
        settings.pendingProposalsMax = configuration.limits.pendingProposalsMax
        settings.heartbeatMilliseconds = UInt64(clamping: configuration.heartbeatMilliseconds)
        settings.electionMilliseconds = UInt64(clamping: configuration.electionMilliseconds)
        settings.serverVersion = BuildVersion.etcdCompatibility
        settings.makeMemberID = { urls, time in
            MemberID(MemberIdentity.member(peerURLs: urls, clusterName: "", time: time))
        }
        settings.isStrict = configuration.strictReconfigCheck
        settings.forcesNewCluster = configuration.forceNewCluster
        settings.peerTLS = certificates?.peers ?? .system
        let log = ReplicaLog()
        let service = try ReplicaService.open(
            directory, settings, on: loop, notice: { log.write($0) }, fail: { Assembly.die($0.description) },
            removed: { self.leave() }, published: { self.serve(doors.value.clients) })
        replica = service
        // The others may ask and talk from now on; clients later.
        try loop.submit {
            self.peerListener?.secondProtocol = service.links?.secondProtocol
            doors.value.peers.open(PeerDoor(replica: service, configuration: self.api))
            doors.value.clients.show(service)
        }.wait()
    }

    /// Who the members are, of a cluster that is founded or joined.
    ///
    /// - Throws: `CancellationError` when the process shall stop.
    private func who(_ doors: NIOLoopBound<Doors>) throws -> Founding {
        let log = Logger(label: "etcdserver")
        let ask = questions
        if !configuration.joinPeers.isEmpty {
            try loop.submit { doors.value.peers.open(FoundingDoor()) }.wait()
            let join = PeersJoin(
                name: configuration.name, peerURLs: configuration.initialAdvertisePeerURLs.map(\.text),
                peers: configuration.joinPeers.map(\.text), ask: ask) { log.info("\($0)") }
            return try join.join()
        }
        guard configuration.initialClusterState == .new else {
            try loop.submit { doors.value.peers.open(FoundingDoor()) }.wait()
            try discover()
            return try configuration.joining(discovered?.cluster, asking: ask) { log.warning("\($0)") }
        }
        try discover()
        let founding = try discovered.map { found throws(StartupFailure) in try configuration.founding(found.cluster) } ?? configuration.founding()
        guard founding.members.count > 1 else { return founding }
        try loop.submit { doors.value.peers.open(PeerDoor(founding, configuration: self.api)) }.wait()
        try FoundersMeeting(founding: founding, ask: ask) { log.info("\($0)") }.hold()
        return founding
    }

    /// The cluster has removed this member: no error, so that nobody starts it again (cluster.md §6.2).
    private func leave() {
        tellSystem("STOPPING=1")
        for listener in listeners { listener.drain() }
        let end: @Sendable () -> Void = {
            ProcessLog.flush()
            _exit(0)
        }
        guard let replica else { return end() }
        replica.stop(end)
    }

    /// On the loop, when the member leads and is published.
    private func serve(_ clients: ClientDoor) {
        // `open` has returned the service before the loop can get here only if the main thread was quicker; wait our turn.
        guard let replica else {
            let bound = NIOLoopBound(clients, eventLoop: loop)
            return loop.execute { self.serve(bound.value) }
        }
        clients.open(replica)
        embed.info("ready to serve client requests")
        for url in configuration.listenClientURLs {
            if url.scheme.isEncrypted {
                embed.info("serving client requests on \(url.hostAndPort)")
            } else {
                embed.notice("serving insecure client requests on \(url.hostAndPort), this is strongly discouraged!")
            }
        }
        tellReady()
    }

    func tellReady() {
        isReady.store(true, ordering: .relaxed)
        tellSystem("READY=1")
    }

    private func closePeerPort() throws {
        try loop.submit {
            guard let listener = self.peerListener else { return }
            listener.close()
            self.listeners.removeAll { $0 === listener }
            self.peerListener = nil
        }.wait()
    }

    private var api: ClientAPIConfiguration {
        var api = ClientAPIConfiguration()
        api.corsOrigins = configuration.corsOrigins
        api.hostWhitelist = configuration.hostWhitelist
        api.isV2Enabled = configuration.enableV2
        api.serverVersion = BuildVersion.etcdCompatibility
        api.productVersion = BuildVersion.etclite
        api.commandLine = ["etclite"] + arguments
        if let certificates {
            api.certificates = {
                certificates.figures().map {
                    CertificateFigures(
                        port: $0.kind, certificateExpires: $0.figures.certificateExpires, authorityExpires: $0.figures.authorityExpires,
                        renewals: $0.figures.renewals, failures: $0.figures.failures)
                }
            }
        }
        api.setLogLevel = { LogThreshold.set(named: $0) }
        api.requestTimeoutMilliseconds = configuration.requestTimeoutMilliseconds
        return api
    }

    /// SIGHUP. On the main thread.
    ///
    /// - Parameter read: see `Reload.run`.
    func reload(_ read: () -> ServerConfiguration?) {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        // For `Type=notify-reload` (sd_notify(3)); others do not listen to it. One that starts is not ready when it has reloaded.
        let isReady = isReady.load(ordering: .relaxed)
        if isReady { tellSystem("RELOADING=1\nMONOTONIC_USEC=\(Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)") }
        reloading.run(read)
        if isReady { tellSystem("READY=1") }
    }

    // MARK: The end

    func stop(because signal: Int32) {
        Logger(label: "pkg/osutil").notice(
            "received \(signal == SIGINT ? "interrupt" : signal == SIGHUP ? "hangup" : "terminated") signal, shutting down...")
        tellSystem("STOPPING=1")
        let stopped = loop.makePromise(of: Void.self)
        loop.execute {
            for listener in self.listeners { listener.drain() }
            self.proxy?.close()
            guard let replica = self.replica else {
                self.directory.unlock(isClean: true)
                return stopped.succeed()
            }
            if replica.isLoneVoter {
                Logger(label: "etcdserver").info("skipped leadership transfer for single voting member cluster")
            }
            replica.stop { stopped.succeed() }
        }
        try? stopped.futureResult.wait()
        try? loop.submit { for listener in self.listeners { listener.close() } }.wait()
    }

    /// Without running anything at exit: other threads may be in the middle of a write.
    static func die(_ reason: String, further: [Notice] = []) -> Never {
        // Behind a critical line no other is written.
        die([Notice(further.isEmpty ? .critical : .error, "etcdmain", reason)] + further)
    }

    static func die(_ reasons: [Notice]) -> Never {
        for reason in reasons { Logger(label: reason.label).log(level: reason.level, "\(reason.text)") }
        ProcessLog.flush()
        _exit(1)
    }
}

extension EndpointURL {
    var address: Listener.Address {
        if let path = socketPath { return .unix(path: path) }
        // As etcd: the name of this computer's loopback is its IPv4 address.
        return .tcp(host: host == "localhost" ? "127.0.0.1" : host, port: Int(port))
    }
}

extension ConnectionLimits {
    var transport: HTTPServerLimits {
        var limits = HTTPServerLimits()
        limits.connectionsMax = connectionsMax
        limits.bodyBytesMax = requestBodyBytesMax
        limits.headBytesMax = headerBytesMax
        limits.headFieldsMax = headersMax
        limits.headSecondsMax = max(1, headerTimeoutMilliseconds / 1000)
        limits.bodySecondsMax = max(1, bodyTimeoutMilliseconds / 1000)
        limits.idleSecondsMax = max(1, idleTimeoutMilliseconds / 1000)
        return limits
    }
}
