import Raft
import Wire

/// The numbers of what is forwarded to the leader of one term: which were acknowledged, what may be sent, when to repeat.
///
/// A number is the sender's life (40 bits, above those of its earlier lives) and a count from 1 (24 bits). The leader takes a number that
/// directly follows the last one of the same life, or the first one of a later life: so what an earlier life has sent and is still
/// under way is not taken any more, and this life's first is not mistaken for a repetition.
struct ForwardStream: Sendable {
    private(set) var term: Term = 0
    private var life: UInt64
    private var count: UInt64 = 0
    /// Everything up to this number is with the leader.
    private(set) var acknowledged: UInt64 = 0
    private var messagesUnderWay = 0
    private var bytesUnderWay = 0
    private(set) var repeatAt: UInt64?
    private var patience: UInt64
    private let settings: ReplicaSettings

    static let countBits: UInt64 = 24
    private static let countMax: UInt64 = 1 << countBits - 1
    private static let lifeMax: UInt64 = 1 << 40 - 1

    init(life: UInt64, settings: ReplicaSettings) {
        self.life = max(1, life & ForwardStream.lifeMax)
        self.settings = settings
        patience = settings.forwardRepeatMilliseconds
    }

    /// Of the message that was numbered last.
    var newest: UInt64 { life << ForwardStream.countBits | count }

    /// A number that can be taken by a leader which has taken `last` from the same sender.
    static func mayFollow(_ number: UInt64, _ last: UInt64) -> Bool {
        let (life, lastLife) = (number >> countBits, last >> countBits)
        return life == lastLife ? number == last &+ 1 : life > lastLife && number & countMax == 1
    }

    mutating func enter(_ newTerm: Term) {
        guard newTerm != term else { return }
        term = newTerm
        count = 0
        acknowledged = 0
        nothingUnderWay()
    }

    /// Nil while enough is under way.
    var nextNumber: UInt64? {
        guard messagesUnderWay == 0 || (messagesUnderWay < settings.forwardWindowMessages && bytesUnderWay < settings.forwardWindowBytes),
            count < ForwardStream.countMax
        else { return nil }
        return newest + 1
    }

    mutating func sent(bytes: Int, at now: UInt64) {
        count += 1
        messagesUnderWay += 1
        bytesUnderWay += bytes
        repeatAt = max(repeatAt ?? now + patience, now + travelMilliseconds)
    }

    mutating func acknowledge(_ number: UInt64, at now: UInt64) {
        guard number > acknowledged, number <= newest else { return }
        acknowledged = number
        patience = settings.forwardRepeatMilliseconds
        repeatAt = now + patience + travelMilliseconds
    }

    /// What is large and on a slow link is not lost because it takes its time: repeated by the clock alone it would be sent many times over.
    private var travelMilliseconds: UInt64 { UInt64(max(0, bytesUnderWay) / settings.forwardBytesPerMillisecondMin) }

    /// The leader is known to have taken everything up to here.
    mutating func take(_ number: UInt64) { acknowledged = max(acknowledged, number) }

    mutating func arrived(bytes: Int) {
        messagesUnderWay -= 1
        bytesUnderWay -= bytes
        if messagesUnderWay <= 0 { nothingUnderWay() }
    }

    func isUnacknowledged(_ batch: SentProposals.Batch) -> Bool { batch.term == term && batch.number > acknowledged }

    /// The leader answers a life that it takes for an earlier one with the last number of the later one.
    func isOfOtherLife(_ number: UInt64) -> Bool { number >> ForwardStream.countBits > life }

    mutating func startAnew(behind number: UInt64) {
        life = min(number >> ForwardStream.countBits, ForwardStream.lifeMax - 1) + 1
        count = 0
        acknowledged = 0
        nothingUnderWay()
    }

    mutating func hurry(at now: UInt64) {
        guard repeatAt != nil else { return }
        patience = settings.forwardRepeatMilliseconds
        repeatAt = now + patience / 4
    }

    /// Is it time to repeat? If so, the next time is set.
    mutating func isDue(_ current: Term, at now: UInt64) -> Bool {
        guard current == term, let due = repeatAt, now >= due else { return false }
        patience = min(2 * patience, settings.forwardRepeatMillisecondsMax)
        repeatAt = now + patience + travelMilliseconds
        return true
    }

    private mutating func nothingUnderWay() {
        messagesUnderWay = 0
        bytesUnderWay = 0
        repeatAt = nil
        patience = settings.forwardRepeatMilliseconds
    }
}
