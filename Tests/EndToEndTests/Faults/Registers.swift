import Foundation
import Simulation
import Synchronization
import TestSupport

/// A few keys that clients of all members set, compare, delete and read at the same time; what they saw must be what one register
/// for each key would have shown them.
final class Registers: Sendable {
    private struct State {
        var epoch = 0
        var histories: [String: [KeyOperation]] = [:]
        /// What each client waits for.
        var open: [Int: (key: String, operation: KeyOperation)] = [:]
    }

    private let state = Mutex(State())
    private let isStopping = Mutex(false)
    private let group = DispatchGroup()

    private static let keys = 3
    private static let pauseMicroseconds: UInt32 = 15_000
    /// What nobody knows the outcome of makes the search long.
    private static let pauseAfterFailureMicroseconds: UInt32 = 300_000

    init(_ ports: [UInt16], seed: UInt64) {
        for (number, port) in ports.enumerated() {
            group.enter()
            Thread.detachNewThread {
                self.work(number, port, SeededGenerator(seed: seed &+ UInt64(number)))
                self.group.leave()
            }
        }
    }

    func stop() throws {
        isStopping.withLock { $0 = true }
        guard group.wait(timeout: .now() + 60) == .success else { throw Failure("a client of the registers waits for ever") }
    }

    /// Begins with fresh keys; the histories of those until now are held against a register's.
    func turn() -> (complaints: [String], operations: Int, undecided: Int) {
        let histories = state.withLock { state in
            var histories = state.histories
            for (key, operation) in state.open.values { histories[key, default: []].append(operation) }
            (state.histories, state.open) = ([:], [:])
            state.epoch += 1
            return histories
        }
        var complaints: [String] = []
        var undecided = 0
        for (key, history) in histories.sorted(by: { $0.key < $1.key }) {
            switch Linearizability.check(history, configurationsMax: 300_000) {
            case .legal: break
            case .undecided: undecided += 1
            case .illegal: complaints.append("\(key) was no register: \(history.map { "\($0)" }.joined(separator: "\n"))")
            }
        }
        return (complaints, histories.values.reduce(0) { $0 + $1.count }, undecided)
    }

    private func work(_ number: Int, _ port: UInt16, _ seeded: SeededGenerator) {
        var generator = seeded
        let client = HTTPClient(port: port)
        var seen: [String: String] = [:]
        var count = 0
        while !isStopping.withLock({ $0 }) {
            count += 1
            let register = generator.below(Self.keys)
            let (key, begun) = state.withLock { state in
                let key = "/registers/e\(state.epoch)/r\(register)"
                let action = action(&generator, "c\(number).\(count)", seen[key])
                let now = DispatchTime.now().uptimeNanoseconds
                let operation = KeyOperation(client: number, action, .unknown, called: now, returned: now)
                state.open[number] = (key, operation)
                return (key, operation)
            }
            var operation = begun
            let outcome = outcome(of: operation.action, key, client)
            (operation.outcome, operation.returned) = (outcome, DispatchTime.now().uptimeNanoseconds)
            state.withLock { state in
                // What is no longer open was judged meanwhile, among what may still happen.
                if state.open.removeValue(forKey: number) != nil { state.histories[key, default: []].append(operation) }
            }
            if case .value(let value?) = outcome { seen = [key: value] }
            usleep(outcome == .unknown ? Self.pauseAfterFailureMicroseconds : Self.pauseMicroseconds)
        }
    }

    private func action(_ generator: inout SeededGenerator, _ value: String, _ seen: String?) -> KeyOperation.Action {
        switch generator.below(10) {
        case 0...3: .read
        case 4...6: .set(value)
        case 7: .delete
        default: seen.map { .compareAndSwap(previous: $0, value: value) } ?? .read
        }
    }

    private func outcome(of action: KeyOperation.Action, _ key: String, _ client: HTTPClient) -> KeyOperation.Outcome {
        // A failed exchange tells nothing, like error 300.
        let response: HTTPClient.Response? =
            switch action {
            case .read: try? client.get(key, "quorum=true")
            case .set(let value): try? client.put(key, value)
            case .compareAndSwap(let previous, let value): try? client.put(key, value, ["prevValue": previous])
            case .delete: try? client.request("DELETE", "/v2/keys" + key)
            }
        guard let response else { return .unknown }
        switch (response.status, action) {
        case (200, .read): return (try? response.answer().node?.value).map { .value($0) } ?? .unknown
        case (404, .read): return .value(nil)
        case (200...201, _): return .done
        case (404, .compareAndSwap), (404, .delete), (412, .compareAndSwap): return .refused
        default: return .unknown
        }
    }
}
