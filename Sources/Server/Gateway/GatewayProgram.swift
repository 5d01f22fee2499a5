import Discovery
import Glibc
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import Proxy
import TLS

/// `etclite gateway …`: reads its options, forwards until a signal comes.
enum GatewayProgram {
    /// - Parameter arguments: behind `gateway`.
    static func run(_ arguments: [String], environment: [String: String]) -> Never {
        switch GatewayLaunch(arguments) {
        case .exit(let code, let stdout, let stderr):
            FileOutput.write(stdout, to: STDOUT_FILENO)
            FileOutput.write(stderr, to: STDERR_FILENO)
            exit(code)
        case .run(let options):
            Signals.blockForMainThread()
            // To standard error, which cannot fail to open.
            _ = ProcessLog.open(ServerConfiguration())
            do {
                try serve(options, environment)
            } catch let failure as StartupFailure {
                ProcessLog.flush()
                if case .plain(let text) = failure { FileOutput.write(text + "\n", to: STDERR_FILENO) }
            } catch {
                ProcessLog.flush()
                FileOutput.write("\(error)\n", to: STDERR_FILENO)
            }
            exit(1)
        }
    }

    private static func serve(_ given: GatewayOptions, _ environment: [String: String]) throws {
        var options = given
        let log = Logger(label: "proxy/tcpproxy")
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        if !options.discoveryDomain.isEmpty { options.endpoints = try proven(discovered(options), options, log, on: loop) }
        guard let listen = HostAndPort(options.listenAddress), let port = listen.port else {
            throw StartupFailure.plain("listen tcp: address \(options.listenAddress): missing port in address")
        }
        var configuration = Gateway.Configuration()
        configuration.endpoints = try options.remotes()
        configuration.retryDelay = .milliseconds(options.retryMilliseconds)
        configuration.connectionsMax = max(4, Int(clamping: min(Surroundings.live.fileDescriptorLimit(), 1 << 20)) / 2 - 50)
        let settings = configuration
        let gateway = try loop.submit { NIOLoopBound(Gateway(settings, log: log, loop: loop), eventLoop: loop) }.wait()
        do {
            _ = try loop.flatSubmit { gateway.value.listen(host: listen.host, port: Int(port)) }.wait()
        } catch {
            let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)).lowercased() } ?? "\(error)"
            throw StartupFailure.plain("listen tcp \(options.listenAddress): bind: \(reason)")
        }
        let names = configuration.endpoints.map { "\(HostAndPort.bracketed($0.host)):\($0.port)" }
        log.info("ready to proxy client requests to [\(names.joined(separator: " "))]")
        SystemNotification.send("READY=1", socketPath: environment["NOTIFY_SOCKET"])
        var signal = Signals.wait()
        // It has nothing to read anew.
        while signal == SIGHUP { signal = Signals.wait() }
        Logger(label: "pkg/osutil").notice("received \(signal == SIGINT ? "interrupt" : "terminated") signal, shutting down...")
        try loop.submit { gateway.value.close() }.wait()
        ProcessLog.flush()
        Signals.dieBy(signal)
    }

    /// Those that prove who they are, of the ones that encrypt: a name server is easily made say something else.
    private static func proven(_ urls: [String], _ options: GatewayOptions, _ log: Logger, on loop: any EventLoop) throws -> [String] {
        var settings = TLSSettings()
        if !options.trustedCAFile.isEmpty { settings.trustedCAFile = options.trustedCAFile }
        let policy: TLSPolicy
        do throws(TLSFailure) {
            policy = settings.isEmpty ? .system : try TLSPolicy(settings)
        } catch {
            throw StartupFailure.plain(error.description)
        }
        let http = HTTPClient(eventLoop: loop, tls: policy)
        return try urls.filter { text in
            let url = try HTTPURL(parsing: text)
            guard url.isEncrypted else { return true }
            do {
                let channel = try http.dial(url, timeout: .seconds(5), options: { $0 }, initialize: { _ in }).wait()
                // It has proven itself. How it takes the end, without a request, says nothing.
                channel.close(promise: nil)
                return true
            } catch {
                log.error("discovered endpoint \(text) is left out: \(HTTPClientError(dialling: error, to: url))")
                return false
            }
        }
    }

    /// - Throws: `.plain` with etcd's sentence.
    private static func discovered(_ options: GatewayOptions) throws(StartupFailure) -> [String] {
        let found: [ServiceDiscovery.Target]
        do throws(ServiceDiscovery.Failure) {
            found = try ServiceDiscovery.targets("etcd-client", suffix: options.discoveryServiceName, domain: options.discoveryDomain)
        } catch {
            throw .plain(error.description)
        }
        let (taken, ignored) = ServiceDiscovery.secure(found, orAny: options.isInsecureDiscoveryAllowed)
        for line in ignored { FileOutput.write(line + "\n", to: STDERR_FILENO) }
        guard !taken.isEmpty else { throw .plain("no endpoints found") }
        return taken.map(\.url)
    }
}
