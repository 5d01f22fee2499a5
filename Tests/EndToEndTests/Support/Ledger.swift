import Foundation
import Synchronization
import TestSupport

/// Whoever can tell what is in the key tree.
protocol KeyReader {
    /// All files of the key tree below `key`, and the index of that moment.
    func files(_ key: String) throws -> (files: [String: Answer.Node], index: UInt64)
}

/// What clients were told, to be held against what a server has after it was killed.
///
/// Each key has one writer, who waits for each answer. So a key holds the value acknowledged last, or one that was sent after it
/// and never answered.
final class Ledger: Sendable {
    struct Written: Sendable {
        var value: String?
        var index: UInt64 = 0
        /// Sent later, without an answer.
        var open: Set<String> = []
    }

    /// All that is noted, for ledgers that go on from here.
    struct Snapshot: Sendable {
        var written: [String: Written] = [:]
        /// Acknowledged in-order keys: key → value.
        var posted: [String: String] = [:]
        var postedOpen: Set<String> = []
        var queues: Set<String> = []
        var indexes: Set<UInt64> = []
        var highest: UInt64 = 0
        var acknowledged = 0
        var lastAcknowledged = 0.0
        var complaints: [String] = []
        /// Answers that were no success, by their text.
        var refusals: [String: Int] = [:]
    }

    private let state: Mutex<Snapshot>

    init(_ start: Snapshot = Snapshot()) { state = Mutex(start) }

    var snapshot: Snapshot { state.withLock { $0 } }

    /// Writes that were acknowledged.
    var acknowledged: Int { state.withLock { $0.acknowledged } }
    /// When the last of them was; `steadySeconds`.
    var lastAcknowledged: Double { state.withLock { $0.lastAcknowledged } }
    var refusals: [String: Int] { state.withLock { $0.refusals } }
    var highest: UInt64 { state.withLock { $0.highest } }

    func sends(_ key: String, _ value: String) {
        state.withLock { _ = $0.written[key, default: Written()].open.insert(value) }
    }

    func posts(_ queue: String, _ value: String) {
        state.withLock {
            $0.postedOpen.insert(value)
            $0.queues.insert(queue)
        }
    }

    func receives(_ key: String, _ value: String, _ response: HTTPClient.Response) {
        acknowledge(response) { state, node in
            if node.key != key || node.value != value { state.complaints.append("PUT \(key) was answered with \(node)") }
            state.written[key] = Written(value: value, index: node.modifiedIndex ?? 0)
        }
    }

    func receivesPosted(_ value: String, _ response: HTTPClient.Response) {
        acknowledge(response) { state, node in
            let key = node.key ?? ""
            if state.posted[key] != nil { state.complaints.append("in-order key \(key) was given twice") }
            state.posted[key] = value
            state.postedOpen.remove(value)
        }
    }

    private func acknowledge(_ response: HTTPClient.Response, _ note: (inout Snapshot, Answer.Node) -> Void) {
        let answer = try? response.answer()
        state.withLock { state in
            guard response.isSuccess, let node = answer?.node, let index = node.modifiedIndex else {
                state.refusals["\(answer?.errorCode ?? response.status): \(answer?.cause ?? "")", default: 0] += 1
                return
            }
            note(&state, node)
            if !state.indexes.insert(index).inserted { state.complaints.append("index \(index) was given twice") }
            state.highest = max(state.highest, index)
            state.acknowledged += 1
            state.lastAcknowledged = steadySeconds
        }
    }

    /// What is wrong with what `server` has; empty when every promise was kept.
    func complaints(about server: some KeyReader) throws -> [String] {
        let (files, index) = try server.files("/load")
        let queues = try state.withLock { $0.queues }.sorted().flatMap { Array(try server.files($0).files) }
        let queued = Dictionary(queues) { first, _ in first }
        return state.withLock { state in
            var complaints = state.complaints
            if index < state.highest { complaints.append("the index went back from \(state.highest) to \(index)") }
            for (key, written) in state.written.sorted(by: { $0.key < $1.key }) {
                let found = files[key]
                if let value = found?.value, written.open.contains(value) {
                    if found?.modifiedIndex ?? 0 <= written.index { complaints.append("\(key) has an old index: \(found as Any)") }
                } else if found?.value != written.value {
                    complaints.append("\(key): \(written.value ?? "nothing") was acknowledged, \(found?.value ?? "nothing") is there")
                } else if written.value != nil, found?.modifiedIndex != written.index {
                    complaints.append("\(key) was acknowledged at \(written.index), it is at \(found?.modifiedIndex ?? 0)")
                }
            }
            for key in files.keys.sorted() where state.written[key] == nil { complaints.append("\(key) was never written") }
            for (key, value) in state.posted where queued[key]?.value != value {
                complaints.append("\(key): \(value) was acknowledged, \(queued[key]?.value ?? "nothing") is there")
            }
            var values: Set<String> = []
            for (key, node) in queued {
                let value = node.value ?? ""
                if !values.insert(value).inserted { complaints.append("\(value) is there twice, once as \(key)") }
                if state.posted[key] == nil, !state.postedOpen.contains(value) { complaints.append("\(key) was never posted") }
            }
            return complaints
        }
    }
}

/// Writers that keep a server busy until it dies or they are told to stop, and note in a ledger what they were told.
final class Load: Sendable {
    struct Shape {
        var writers = 6
        var keysOfWriter = 40
        /// Values of up to so many bytes.
        var valueBytesMax = 300
        /// Each so many-th write makes an in-order key; 0: none.
        var postEvery = 4
        /// Go on when a request is answered with an error.
        var toleratesRefusals = false
        /// Go on, at the next server, when a connection or a request fails; see `Load.init(on:_:_:)`.
        var isPersistent = false
        /// How long a writer waits for an answer.
        var timeoutSeconds = 20
        /// A number that values are unlike those of other loads by.
        var round = 0
    }

    private let isStopping = Mutex(false)
    private let group = DispatchGroup()

    convenience init(on port: UInt16, _ ledger: Ledger, _ shape: Shape = Shape()) { self.init(on: [port], ledger, shape) }

    /// The writers begin at different servers of one cluster.
    ///
    /// What was sent and never answered may happen at any later time: it may be on its way to a leader, or in a log that a leader is
    /// about to have. So a persistent writer never writes to such a key again: the ledger could not say what should be there.
    init(on ports: [UInt16], _ ledger: Ledger, _ shape: Shape = Shape()) {
        for writer in 0..<shape.writers {
            group.enter()
            Thread.detachNewThread {
                self.write(ports, ledger, writer, shape)
                self.group.leave()
            }
        }
    }

    /// Lets every writer finish its request.
    func stop() throws {
        isStopping.withLock { $0 = true }
        guard group.wait(timeout: .now() + 60) == .success else { throw Failure("a writer waits for ever") }
    }

    private func write(_ ports: [UInt16], _ ledger: Ledger, _ writer: Int, _ shape: Shape) {
        var client = HTTPClient(port: ports[writer % ports.count], timeoutSeconds: shape.timeoutSeconds)
        var generator = SeededGenerator(seed: UInt64(shape.round * 100 + writer))
        var number = 0
        var failures = 0
        while !isStopping.withLock({ $0 }) {
            number += 1
            let padding = String(repeating: "x", count: Int.random(in: 0...shape.valueBytesMax, using: &generator))
            let value = "w\(writer).r\(shape.round).n\(number).\(padding)"
            var isDone = false
            do {
                let response: HTTPClient.Response
                if shape.postEvery > 0, number % shape.postEvery == 0 {
                    let queue = "/queue/r\(shape.round)"
                    ledger.posts(queue, value)
                    response = try client.request("POST", "/v2/keys" + queue, ["value": value])
                    ledger.receivesPosted(value, response)
                } else {
                    let keys = failures == 0 ? "w\(writer)" : "w\(writer).\(shape.round).\(failures)"
                    let key = "/load/\(keys)/k\(Int.random(in: 0..<shape.keysOfWriter, using: &generator))"
                    ledger.sends(key, value)
                    response = try client.put(key, value)
                    ledger.receives(key, value, response)
                }
                isDone = response.isSuccess
                if !isDone, !shape.toleratesRefusals, !shape.isPersistent { return }
            } catch {
                // The server is gone, or this connection is: what was sent stays open.
                guard shape.isPersistent else { return }
            }
            guard !isDone else { continue }
            usleep(20_000)
            guard shape.isPersistent else { continue }
            failures += 1
            client = HTTPClient(port: ports[(writer + failures) % ports.count], timeoutSeconds: shape.timeoutSeconds)
        }
    }
}
