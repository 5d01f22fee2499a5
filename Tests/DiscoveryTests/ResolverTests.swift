import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Discovery

/// A name server in the test's process, by UDP and TCP on one port: what it is asked, it hands to a closure.
private final class NameServer: Sendable {
    struct Question: Sendable {
        let id: UInt16
        let name: String
        let isStream: Bool
    }

    private let channels: [any Channel]
    var port: UInt16 { UInt16(channels[0].localAddress?.port ?? 0) }

    var resolver: DNSResolver {
        var configuration = ResolverConfiguration()
        configuration.servers = [.init(address: "127.0.0.1", port: port)]
        configuration.timeoutSeconds = 5
        configuration.attempts = 1
        return DNSResolver(configuration: configuration)
    }

    /// - Parameter answer: datagrams, or what goes over the stream without its length; nil: nothing.
    static func run(
        answer: @escaping @Sendable (Question) -> [[UInt8]], _ body: @escaping @Sendable (NameServer) throws -> Void
    ) async throws {
        let log = Log()
        let (datagrams, stream) = try await bind { channel in
            try channel.pipeline.syncOperations.addHandler(Datagrams(log: log, answer: answer))
        } stream: { channel in
            try channel.pipeline.syncOperations.addHandler(Stream(log: log, answer: answer))
        }
        let server = NameServer(channels: [datagrams, stream], log: log)
        do {
            try await NIOThreadPool.singleton.runIfActive { try body(server) }
        } catch {
            try await server.close()
            throw error
        }
        try await server.close()
    }

    /// A port that is free for datagrams may be another program's for streams: then the next.
    private static func bind(
        datagrams: @escaping @Sendable (any Channel) throws -> Void, stream: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> (any Channel, any Channel) {
        let group = MultiThreadedEventLoopGroup.singleton
        var attempts = 0
        while true {
            let first = try await DatagramBootstrap(group: group)
                .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try datagrams(channel) } }
                .bind(host: "127.0.0.1", port: 0).get()
            do {
                let second = try await ServerBootstrap(group: group)
                    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try stream(channel) } }
                    .bind(host: "127.0.0.1", port: first.localAddress?.port ?? 0).get()
                return (first, second)
            } catch {
                try await first.close()
                attempts += 1
                if attempts == 20 { throw error }
            }
        }
    }

    final class Log: Sendable {
        let questions = Mutex<[Question]>([])
    }

    private let log: Log
    var questions: [Question] { log.questions.withLock { $0 } }

    private init(channels: [any Channel], log: Log) {
        self.channels = channels
        self.log = log
    }

    private func close() async throws { for channel in channels { try await channel.close() } }

    private static func question(_ bytes: [UInt8], isStream: Bool) -> Question {
        var labels: [String] = []
        var place = 12
        while place < bytes.count, bytes[place] > 0 {
            let end = place + 1 + Int(bytes[place])
            labels.append(String(decoding: bytes[(place + 1)..<min(end, bytes.count)], as: UTF8.self))
            place = end
        }
        return Question(id: UInt16(bytes[0]) << 8 | UInt16(bytes[1]), name: labels.joined(separator: "."), isStream: isStream)
    }

    private final class Datagrams: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        let log: Log
        let answer: @Sendable (Question) -> [[UInt8]]

        init(log: Log, answer: @escaping @Sendable (Question) -> [[UInt8]]) { (self.log, self.answer) = (log, answer) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            let question = NameServer.question(Array(envelope.data.readableBytesView), isStream: false)
            log.questions.withLock { $0.append(question) }
            for bytes in answer(question) {
                context.writeAndFlush(
                    wrapOutboundOut(AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: bytes))), promise: nil)
            }
        }
    }

    private final class Stream: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        let log: Log
        let answer: @Sendable (Question) -> [[UInt8]]

        init(log: Log, answer: @escaping @Sendable (Question) -> [[UInt8]]) { (self.log, self.answer) = (log, answer) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let question = NameServer.question(Array(unwrapInboundIn(data).readableBytesView.dropFirst(2)), isStream: true)
            log.questions.withLock { $0.append(question) }
            for bytes in answer(question) {
                // In two pieces: a stream keeps none together.
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: AnswerBytes.short(UInt16(bytes.count)) + bytes.prefix(3))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes.dropFirst(3))), promise: nil)
            }
        }
    }
}

@Suite("Asking name servers for service records")
struct ResolverTests {
    @Test("Records come by UDP; answers to other questions are passed over")
    func datagrams() async throws {
        try await NameServer.run { question in
            var other = AnswerBytes(id: question.id &+ 1, name: question.name, answers: 1)
            other.addService(1, "forged.test")
            var another = AnswerBytes(id: question.id, name: "x." + question.name, answers: 1)
            another.addService(1, "forged.test")
            var right = AnswerBytes(id: question.id, name: question.name, answers: 3)
            right.addService(2380, "a.test")
            right.addService(2381, "b.test")
            // Not offered (RFC 2782).
            right.addService(0, "")
            return [other.bytes, another.bytes, [1, 2, 3], right.bytes]
        } _: { server in
            let records = try server.resolver.services("_etcd-server._tcp.Example.test")
            #expect(records.map(\.target).sorted() == ["a.test", "b.test"])
            #expect(server.questions.map(\.name) == ["_etcd-server._tcp.example.test"])
        }
    }

    @Test("An answer that is too long for a datagram comes by TCP")
    func truncated() async throws {
        try await NameServer.run { question in
            guard question.isStream else { return [AnswerBytes(id: question.id, flags: 0x8380, name: question.name, answers: 0).bytes] }
            var answer = AnswerBytes(id: question.id, name: question.name, answers: 200)
            for number in 0..<200 { answer.addService(2380, "host\(number).example.test") }
            return [answer.bytes]
        } _: { server in
            let records = try server.resolver.services("_s._tcp.test")
            #expect(records.count == 200)
            #expect(server.questions.map(\.isStream) == [false, true])
        }
    }

    @Test("Aliases are followed within an answer and by another question, and not for ever")
    func aliases() async throws {
        try await NameServer.run { question in
            switch question.name {
            case "_s._tcp.one.test":
                var answer = AnswerBytes(id: question.id, name: question.name, answers: 2)
                answer.add(5, AnswerBytes.name("_s._tcp.two.test"))
                answer.addService(1, "a.test", owner: AnswerBytes.name("_s._tcp.two.test"))
                return [answer.bytes]
            case "_s._tcp.three.test":
                var answer = AnswerBytes(id: question.id, name: question.name, answers: 1)
                answer.add(5, AnswerBytes.name("_s._tcp.one.test"))
                return [answer.bytes]
            default:
                var answer = AnswerBytes(id: question.id, name: question.name, answers: 1)
                answer.add(5, AnswerBytes.name("x" + question.name))
                return [answer.bytes]
            }
        } _: { server in
            for name in ["one", "three"] {
                let records = try server.resolver.services("_s._tcp.\(name).test")
                #expect(records.map(\.target) == ["a.test"])
            }
            #expect(throws: DNSResolver.Failure.self) { try server.resolver.services("_s._tcp.four.test") }
            #expect(server.questions.count < 20)
        }
    }

    @Test("What Go says when there is nothing")
    func refusals() async throws {
        try await NameServer.run { question in
            switch question.name {
            case "_none._tcp.test": [AnswerBytes(id: question.id, flags: 0x8183, name: question.name, answers: 0).bytes]
            case "_empty._tcp.test": [AnswerBytes(id: question.id, name: question.name, answers: 0).bytes]
            case "_ill._tcp.test": [AnswerBytes(id: question.id, flags: 0x8182, name: question.name, answers: 0).bytes]
            default: []
            }
        } _: { server in
            func reason(_ name: String) -> String {
                do {
                    return "\(try server.resolver.services(name))"
                } catch {
                    return error.description
                }
            }
            #expect(reason("_none._tcp.test") == "lookup _none._tcp.test on 127.0.0.1:\(server.port): no such host")
            #expect(reason("_empty._tcp.test") == "lookup _empty._tcp.test on 127.0.0.1:\(server.port): no such host")
            #expect(reason("_ill._tcp.test") == "lookup _ill._tcp.test on 127.0.0.1:\(server.port): server misbehaving")
            #expect(reason("a..b") == "lookup a..b on 127.0.0.1:\(server.port): no such host")
            #expect(reason("_silent._tcp.test") == "lookup _silent._tcp.test on 127.0.0.1:\(server.port): i/o timeout")
            do throws(ServiceDiscovery.Failure) {
                _ = try ServiceDiscovery.targets("none", suffix: "x", domain: "test", resolver: server.resolver)
            } catch {
                #expect(error.reasons.map(\.service) == ["none-ssl-x", "none-x"])
            }
        }
    }

    @Test("A server that is not there is passed over")
    func nextServer() async throws {
        try await NameServer.run { question in
            var answer = AnswerBytes(id: question.id, name: question.name, answers: 1)
            answer.addService(1, "a.test")
            return [answer.bytes]
        } _: { server in
            var configuration = server.resolver.configuration
            configuration.servers.insert(.init(address: "127.0.0.1", port: 1), at: 0)
            configuration.servers.insert(.init(address: "nonsense", port: 1), at: 0)
            let records = try DNSResolver(configuration: configuration).services("_s._tcp.test")
            #expect(records.map(\.target) == ["a.test"])
        }
    }
}
