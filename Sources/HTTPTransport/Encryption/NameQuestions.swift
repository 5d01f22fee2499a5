import NIOCore
import NIOPosix
import TLS

/// Asks name servers whether the names in a certificate lead to the address that it is shown from. The system's resolver blocks, and may do
/// so for long: it has threads of its own, few of them, and no more wait for them than are worth waiting. Confined to the loop.
final class NameQuestions {
    /// Threads; made when there is something to ask.
    private static let threads = 2
    /// Certificates that are being asked about, or wait for it. Members of a cluster are few.
    static let countMax = 64

    private let loop: any EventLoop
    private let ask: @Sendable (CertificateFacts, _ address: String, _ isOver: () -> Bool) -> TLSPolicy.Admission
    private var pool: NIOThreadPool?
    private(set) var count = 0

    init(
        loop: any EventLoop,
        ask: @escaping @Sendable (CertificateFacts, String, () -> Bool) -> TLSPolicy.Admission = { facts, address, isOver in
            TLSPolicy.admitByName(facts, from: address, isOver: isOver)
        }
    ) {
        self.loop = loop
        self.ask = ask
    }

    /// - Parameter time: then nobody waits for the answer any more, and no further name is looked up.
    /// - Returns: never fails, but for the end of the process.
    func admit(_ facts: CertificateFacts, from address: String, within time: TimeAmount) -> EventLoopFuture<TLSPolicy.Admission> {
        guard count < Self.countMax else {
            return loop.makeSucceededFuture(.refused("tls: too many certificates wait for the name server"))
        }
        count += 1
        let (ask, deadline) = (ask, NIODeadline.now() + time)
        let questions = NIOLoopBound(self, eventLoop: loop)
        return threads.runIfActive(eventLoop: loop) { ask(facts, address) { NIODeadline.now() > deadline } }
            .always { _ in questions.value.count -= 1 }
    }

    func stop() {
        pool?.shutdownGracefully { _ in }
        pool = nil
    }

    private var threads: NIOThreadPool {
        if let pool { return pool }
        let made = NIOThreadPool(numberOfThreads: Self.threads)
        made.start()
        pool = made
        return made
    }
}
