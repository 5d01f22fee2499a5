import Foundation
import Synchronization
import TestSupport

/// Ordinary clients of each member, who go on whatever happens: what is promised to them stands in a ledger, and how long they
/// waited is known for each member.
final class ServiceProbe: Sendable {
    private struct Figures {
        var lastAcknowledged = 0.0
        var longestGap = 0.0
    }

    private struct State {
        var figures: [Figures]
        /// Seconds, of writes since they were last taken.
        var latencies: [Double] = []
    }

    let ledger = Ledger()
    private let state: Mutex<State>
    private let isStopping = Mutex(false)
    private let group = DispatchGroup()

    /// Writers of each member, and the pause between an answer and the next request: they are to notice, not to be a load that
    /// leaves nothing to others on a small machine.
    private static let writers = 2
    private static let pauseMicroseconds: UInt32 = 4000
    /// Longer than any answer of the server may take.
    private static let timeoutSeconds = 20
    private static let latenciesMax = 200_000

    init(_ ports: [UInt16]) {
        state = Mutex(State(figures: ports.map { _ in Figures(lastAcknowledged: steadySeconds) }))
        for (member, port) in ports.enumerated() {
            for writer in 0..<Self.writers {
                group.enter()
                Thread.detachNewThread {
                    self.write(member, port, member * Self.writers + writer)
                    self.group.leave()
                }
            }
        }
    }

    func stop() throws {
        isStopping.withLock { $0 = true }
        guard group.wait(timeout: .now() + 60) == .success else { throw Failure("an ordinary client waits for ever") }
    }

    /// Gaps count from now on.
    func reset() {
        state.withLock { state in
            for member in state.figures.indices { state.figures[member] = Figures(lastAcknowledged: steadySeconds) }
        }
    }

    /// The longest time in which no client of this member had a write acknowledged; up to now.
    func longestGap(of member: Int) -> Double {
        state.withLock { max($0.figures[member].longestGap, steadySeconds - $0.figures[member].lastAcknowledged) }
    }

    /// Whether each member's clients had a write acknowledged since that moment; `steadySeconds`.
    func wereAllServed(since moment: Double) -> Bool { state.withLock { $0.figures.allSatisfy { $0.lastAcknowledged > moment } } }

    /// In milliseconds, of the writes since the last call.
    func takeLatencies() -> (p50: Double, p99: Double) {
        let sorted = state.withLock { state in
            defer { state.latencies = [] }
            return state.latencies
        }.sorted()
        guard !sorted.isEmpty else { return (0, 0) }
        return (sorted[sorted.count / 2] * 1000, sorted[sorted.count * 99 / 100] * 1000)
    }

    private func note(_ member: Int, _ began: Double) {
        let now = steadySeconds
        state.withLock { state in
            let gap = now - state.figures[member].lastAcknowledged
            state.figures[member].longestGap = max(state.figures[member].longestGap, gap)
            state.figures[member].lastAcknowledged = now
            if state.latencies.count < Self.latenciesMax { state.latencies.append(now - began) }
        }
    }

    /// A key whose write was not acknowledged is never written again: it may still happen at any later time.
    private func write(_ member: Int, _ port: UInt16, _ writer: Int) {
        let client = HTTPClient(port: port, timeoutSeconds: Self.timeoutSeconds)
        var generator = SeededGenerator(seed: UInt64(writer))
        var number = 0
        var failures = 0
        while !isStopping.withLock({ $0 }) {
            number += 1
            let key = "/load/s\(writer).\(failures)/k\(generator.below(20))"
            let value = "s\(writer).n\(number)." + String(repeating: "x", count: generator.below(200))
            let began = steadySeconds
            ledger.sends(key, value)
            // A connection that fails is what this is about; the value stays open in the ledger.
            let response = try? client.put(key, value)
            if let response { ledger.receives(key, value, response) }
            if response?.isSuccess == true {
                note(member, began)
                usleep(Self.pauseMicroseconds)
            } else {
                failures += 1
                usleep(100_000)
            }
        }
    }
}
