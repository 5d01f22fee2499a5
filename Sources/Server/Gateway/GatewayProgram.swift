import Discovery
import Glibc
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import Proxy

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
        if !options.discoveryDomain.isEmpty { options.endpoints = try discovered(options) }
        guard let listen = HostAndPort(options.listenAddress), let port = listen.port else {
            throw StartupFailure.plain("listen tcp: address \(options.listenAddress): missing port in address")
        }
        var configuration = Gateway.Configuration()
        configuration.endpoints = try options.remotes()
        configuration.retryDelay = .milliseconds(options.retryMilliseconds)
        configuration.connectionsMax = max(4, Int(clamping: min(Surroundings.live.fileDescriptorLimit(), 1 << 20)) / 2 - 50)
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        let settings = configuration
        let gateway = try loop.submit { NIOLoopBound(Gateway(settings, log: log, loop: loop), eventLoop: loop) }.wait()
        do {
            _ = try loop.flatSubmit { gateway.value.listen(host: listen.host.isEmpty ? "::" : listen.host, port: Int(port)) }.wait()
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
