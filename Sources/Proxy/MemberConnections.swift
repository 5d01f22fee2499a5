import HTTPTransport
import NIOCore
import NIOHTTP1
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Connections to the members: kept between requests, and never more than the configuration allows. Confined to the proxy's loop.
final class MemberConnections {
    enum Failure: Error, CustomStringConvertible {
        /// No fault of the member's.
        case tooMany
        case failed(String)

        var description: String {
            switch self {
            case .tooMany: "too many connections"
            case .failed(let reason): reason
            }
        }
    }

    private let configuration: ProxyConfiguration
    private let loop: any EventLoop
    private let http: HTTPClient
    /// By URL; the last one was used last.
    private var idle: [String: [MemberConnection]] = [:]
    /// Those and the ones in use or being dialled.
    private var all: [ObjectIdentifier: MemberConnection] = [:]
    private var timer: RepeatedTask?

    init(_ configuration: ProxyConfiguration, http: HTTPClient, loop: any EventLoop) {
        self.configuration = configuration
        self.http = http
        self.loop = loop
    }

    /// - Parameter done: is called later, on the loop.
    func connect(to url: HTTPURL, done: @escaping (Result<MemberConnection, Failure>) -> Void) {
        let bound = NIOLoopBound(done, eventLoop: loop)
        if let kept = idle[url.text]?.popLast() {
            let made = NIOLoopBound(kept, eventLoop: loop)
            return loop.execute { bound.value(.success(made.value)) }
        }
        if all.count >= configuration.connectionsMax { closeOldestIdle() }
        guard all.count < configuration.connectionsMax else { return loop.execute { bound.value(.failure(.tooMany)) } }
        dial(url, done: bound)
    }

    /// It has carried a whole answer.
    func giveBack(_ connection: MemberConnection) {
        let kept = idle[connection.url.text]?.count ?? 0
        guard connection.isReusable, kept < ProxyConfiguration.idleConnectionsMax else { return connection.close() }
        connection.idleSince = .now()
        idle[connection.url.text, default: []].append(connection)
        connection.rest()
        startTimer()
    }

    /// Those to other URLs serve nobody any more.
    func keep(only urls: [String]) {
        for (url, connections) in idle where !urls.contains(url) {
            for connection in connections { connection.close() }
            idle[url] = nil
        }
    }

    func close() {
        timer?.cancel()
        timer = nil
        for connection in all.values { connection.close() }
    }

    private func dial(_ url: HTTPURL, done: NIOLoopBound<(Result<MemberConnection, Failure>) -> Void>) {
        let connections = NIOLoopBound(self, eventLoop: loop)
        let connection = MemberConnection(url, configuration) { connections.value.wentAway($0) }
        all[ObjectIdentifier(connection)] = connection
        let made = NIOLoopBound(connection, eventLoop: loop)
        http.dial(url, timeout: configuration.dialTimeout) { bootstrap in
            bootstrap.channelOption(.maxMessagesPerRead, value: 1)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: ProxyConfiguration.pieceBytes))
                .channelOption(.socketOption(.so_keepalive), value: 1)
        } initialize: { channel in
            try channel.pipeline.syncOperations.addHandler(made.value)
        }.whenComplete { result in
            switch result {
            case .success(let channel):
                connections.value.prepare(channel, to: url)
                done.value(.success(made.value))
            case .failure(let error):
                connections.value.wentAway(made.value)
                let isOurs = [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains((error as? IOError)?.errnoCode)
                done.value(.failure(isOurs ? .tooMany : .failed(HTTPClientError(dialling: error, to: url).description)))
            }
        }
    }

    /// From here on it is read when somebody wants to know. The options are refused only by a channel that is closed by now.
    private func prepare(_ channel: any Channel, to url: HTTPURL) {
        try? channel.syncOptions?.setOption(.autoRead, value: false)
        if case .host = url.address { channel.limitSilence() }
    }

    private func wentAway(_ connection: MemberConnection) {
        all[ObjectIdentifier(connection)] = nil
        guard let place = idle[connection.url.text]?.firstIndex(where: { $0 === connection }) else { return }
        idle[connection.url.text]?.remove(at: place)
    }

    private func closeOldestIdle() {
        idle.values.compactMap(\.first).min { $0.idleSince < $1.idleSince }?.close()
    }

    private func startTimer() {
        guard timer == nil else { return }
        let connections = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleRepeatedTask(initialDelay: .seconds(30), delay: .seconds(30)) { task in
            let connections = connections.value
            let limit = NIODeadline.now() - .seconds(ProxyConfiguration.idleSecondsMax)
            for connection in connections.idle.values.joined() where connection.idleSince < limit { connection.close() }
            guard connections.idle.values.allSatisfy(\.isEmpty) else { return }
            connections.timer = nil
            task.cancel()
        }
    }
}
