import HTTPTransport
import NIOCore

/// Requests that have come before they can be served. Each is kept for as long as a request may take, counted from its arrival, and no
/// longer than its client stays: nobody may find later that something was done for him of which he has not heard. Confined to the loop.
package final class HeldRequests {
    /// Why a request is answered without having been served.
    package enum Refusal {
        case tooMany
        case timedOut
        /// The client has sent its end. It may still read.
        case clientLeft
    }

    private struct Held {
        let request: HTTPRequest
        let exchange: HTTPExchange
        let timer: Scheduled<Void>
        let refuse: (Refusal) -> Void
    }

    private let loop: any EventLoop
    private let timeout: TimeAmount
    private var held: [UInt64: Held] = [:]
    private var heldBytes = 0
    private var last: UInt64 = 0

    private let countMax: Int
    private static let bytesMax = 16 << 20

    package init(loop: any EventLoop, timeoutMilliseconds: Int, countMax: Int = 1024) {
        self.loop = loop
        self.countMax = countMax
        timeout = .milliseconds(Int64(timeoutMilliseconds))
    }

    package func hold(_ request: HTTPRequest, on exchange: HTTPExchange, refuse: @escaping (Refusal) -> Void) {
        guard held.count < countMax, heldBytes + request.byteCount <= Self.bytesMax else { return refuse(.tooMany) }
        last += 1
        let number = last
        let requests = NIOLoopBound(self, eventLoop: loop)
        let timer = loop.scheduleTask(in: timeout) {
            if let one = requests.value.take(number) { one.refuse(.timedOut) }
        }
        held[number] = Held(request: request, exchange: exchange, timer: timer, refuse: refuse)
        heldBytes += request.byteCount
        exchange.onClose { [weak self] in _ = self?.take(number) }
        exchange.onInputClosed { [weak self] in self?.take(number)?.refuse(.clientLeft) }
    }

    /// Hands them on in the order in which they came.
    package func release(to responder: any HTTPResponder) {
        for number in held.keys.sorted() {
            if let one = take(number) { responder.respond(to: one.request, on: one.exchange) }
        }
    }

    private func take(_ number: UInt64) -> Held? {
        guard let one = held.removeValue(forKey: number) else { return nil }
        heldBytes -= one.request.byteCount
        one.timer.cancel()
        return one
    }
}
