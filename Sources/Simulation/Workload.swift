import Keyspace
import Raft
import Wire

/// What the clients do and what they saw: for each key a history that one register must explain.
struct Workload {
    /// What a client waits for.
    struct Pending {
        var number: Int
        var action: KeyOperation.Action
        var key: String
        var called: UInt64
        var member: MemberID
        /// Of a change its request, of a read its number.
        var request: UInt64
        /// Of a read: everything up to here must be applied before it is answered.
        var readAt: Index?
    }

    struct Client {
        var pending: Pending?
        var chance: SimulatedChance
        var isStopped = false
    }

    var clients: [Client]
    private(set) var histories: [String: [(operation: KeyOperation, request: UInt64)]] = [:]
    /// When a change was first applied anywhere, and how it ended: it took effect no later than that.
    private var effects: [UInt64: (time: UInt64, outcome: KeyOperation.Outcome)] = [:]
    private(set) var lastOperation = 0
    private(set) var lastValue = 0
    private(set) var succeeded = 0
    private(set) var unknown = 0
    private let settings: SimulationSettings
    /// A key is given up for a new one after so many operations: the order of few is found in good time, also with some unknown.
    private static let operationsPerKey = 40
    private var keys: [(name: String, operations: Int)]
    private var lastKey = 0
    /// The last value that anybody set, by key; only to make comparisons that succeed now and then.
    private var guesses: [String: [String]] = [:]

    init(_ settings: SimulationSettings, _ chance: SimulatedChance) {
        self.settings = settings
        var chance = chance
        clients = (0..<settings.clients).map { _ in Client(chance: chance.branch()) }
        keys = []
        for _ in 0..<settings.keys { keys.append(("k\(keys.count)", 0)) }
        lastKey = keys.count
    }

    mutating func draw(_ client: Int) -> (key: String, action: KeyOperation.Action) {
        let place = clients[client].chance.below(keys.count)
        keys[place].operations += 1
        if keys[place].operations > Workload.operationsPerKey {
            keys[place] = ("k\(lastKey)", 1)
            lastKey += 1
        }
        let key = keys[place].name
        lastValue += 1
        let padding = clients[client].chance.below(settings.valueBytesMax)
        let value = "\(lastValue)-\(padding)"
        let known = guesses[key] ?? []
        switch clients[client].chance.below(10) {
        case 0...3: return (key, .read)
        case 9: return (key, .delete)
        case let number:
            guesses[key] = known.suffix(3) + [value]
            guard number > 5, !known.isEmpty else { return (key, .set(value)) }
            return (key, .compareAndSwap(previous: clients[client].chance.pick(known), value: value))
        }
    }

    /// In histories a value is its number and how much padding it has, as "17-3".
    static func bytes(of name: String) -> [UInt8] {
        let parts = name.split(separator: "-")
        return Array(name.utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: parts.count == 2 ? Int(parts[1]) ?? 0 : 0)
    }

    /// What has been cut or changed has another name than any value.
    static func name(of bytes: [UInt8]) -> String {
        let name = String(decoding: bytes.prefix { $0 != UInt8(ascii: "x") }, as: UTF8.self)
        return bytes == Workload.bytes(of: name) ? name : "\(name) and \(bytes.count) bytes that nobody wrote"
    }

    mutating func begin(_ client: Int, _ key: String, _ action: KeyOperation.Action, on member: MemberID, request: UInt64, at now: UInt64) {
        lastOperation += 1
        clients[client].pending = Pending(
            number: lastOperation, action: action, key: key, called: now, member: member, request: request)
    }

    /// The client has its answer, or goes without.
    mutating func end(_ client: Int, _ outcome: KeyOperation.Outcome, at now: UInt64) {
        guard let pending = clients[client].pending else { return }
        clients[client].pending = nil
        if outcome == .unknown { unknown += 1 } else { succeeded += 1 }
        histories[pending.key, default: []].append(
            (KeyOperation(client: client, pending.action, outcome, called: pending.called, returned: now), pending.request))
    }

    mutating func tookEffect(_ request: UInt64, _ outcome: KeyOperation.Outcome, at now: UInt64) {
        if effects[request] == nil { effects[request] = (now, outcome) }
    }

    func client(waitingFor request: UInt64, on member: MemberID) -> Int? {
        clients.firstIndex { $0.pending?.request == request && $0.pending?.member == member }
    }

    /// In the order of the keys' names. A change that its client had no answer to, but that was applied, happened before it was applied
    /// for the first time; one that never was did not happen. That leaves nothing unknown, so the search for an order is short.
    var allHistories: [(key: String, history: [KeyOperation])] {
        histories.keys.sorted().map { key in
            (
                key,
                (histories[key] ?? []).compactMap { entry in
                    guard entry.operation.outcome == .unknown else { return entry.operation }
                    guard let effect = effects[entry.request] else { return nil }
                    var operation = entry.operation
                    (operation.outcome, operation.returned) = (effect.outcome, effect.time)
                    return operation
                }
            )
        }
    }
}
