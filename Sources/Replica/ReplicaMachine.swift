import Raft
import Wire

/// One member's brain around the protocol: which payload got which place, what has become of proposals and reads whoever leads, and when
/// the log is cut. Synchronous and deterministic; it orders writes, messages and copies and never makes one.
///
/// `+Proposals` is the way of a payload into the log, `+Output` what the core wants done, with payloads.
package struct ReplicaMachine: Sendable {
    package private(set) var core: RaftCore
    package internal(set) var policy: LogPolicy
    /// All, as applied; removed ones too.
    package private(set) var members: [Member]
    package private(set) var applied: LogPosition
    /// The empty entry of this member's present term as leader; nil while it does not lead. Once it is applied, so is all that was ever
    /// acknowledged.
    package internal(set) var openingEntry: Index?

    let settings: ReplicaSettings
    var now: UInt64 = 0
    var cache: EntryCache
    var underWay: AppendsUnderWay
    /// Members for which payloads are being read from the log.
    var fetching: Set<MemberID> = []
    /// Entries from there on were not sent to these members, and the core is to be told.
    var held: [MemberID: Index] = [:]
    var forwards: ForwardBook
    var inbox = ForwardInbox()
    var changes: ChangeQueue
    var reads: ReadBook
    /// Kept to be used again.
    private var output = CoreOutput()

    /// - Parameters:
    ///   - members: as applied.
    ///   - applied: what the state machine holds.
    ///   - life: above those of all earlier lives of this member, such as its start in milliseconds; 40 bits of it are used.
    package init(
        core: RaftCore, policy: LogPolicy, members: [Member], applied: LogPosition, life: UInt64,
        settings: ReplicaSettings = ReplicaSettings()
    ) {
        self.core = core
        self.policy = policy
        self.members = members
        self.applied = applied
        self.settings = settings
        cache = EntryCache(next: core.last.index.next, bytesMax: settings.cacheBytesMax)
        underWay = AppendsUnderWay(bytesMax: settings.appendBytesUnderWayMax)
        forwards = ForwardBook(life: life, settings: settings)
        // What the log holds behind the tree was not looked at: any of it may be a change.
        changes = ChangeQueue(lastInLog: core.last.index, waitingMax: settings.changesWaitingMax)
        reads = ReadBook(readsMax: settings.readsMax)
    }

    /// When `time` is due at the latest; nil: nothing happens by time alone.
    package var wakeUp: UInt64? {
        guard core.role != .leader, core.leader != .none, let again = forwards.repeatAt(in: core.term) else { return core.wakeUp }
        return min(again, core.wakeUp ?? again)
    }

    /// `applied` should come with the requests' numbers.
    package var wantsAppliedRequests: Bool { forwards.hasForwarded }

    package mutating func handle(_ event: ReplicaEvent, at time: UInt64, into effects: inout ReplicaEffects) {
        now = max(now, time)
        switch event {
        case .started: if core.configuration.voters == [core.id] { step(.campaign, into: &effects) } else { step(.tick, into: &effects) }
        case .time: step(.tick, into: &effects)
        case .proposed(let payloads): propose(payloads, into: &effects)
        case .received(let message): receive(message, into: &effects)
        case .persisted(let ticket): step(.persisted(ticket), into: &effects)
        case .applied(let position, let requests, let members): follow(position, requests, members, into: &effects)
        case .abandoned(let requests): forwards.abandon(requests)
        case .readRequested(let number):
            if reads.add(number) { step(.readRequested(context: number), into: &effects) } else { effects.readsFailed.append(number) }
        case .readsAbandoned(let numbers): reads.abandon(numbers)
        case .fetched(let message, let payloads): take(message, payloads, into: &effects)
        case .linkLost(let member): lose(member, .linkLost(member), into: &effects)
        case .memberDown(let member): lose(member, .memberDown(member), into: &effects)
        case .disk(let space): step(.disk(space), into: &effects)
        case .transferLeadership(let member): step(.transferLeadership(to: member), into: &effects)
        case .treeDurable(let index, let isAtRest): policy.treeIsDurable(upTo: index, isAtRest: isAtRest)
        case .logGrew(let bytes): policy.grew(bytes: bytes, upTo: core.durable)
        case .logWasCut(let position): step(.logCut(position), into: &effects)
        case .snapshotSent(let member, let position, let succeeded):
            policy.snapshotEnds(to: member, succeeded: succeeded, at: now)
            step(.snapshotSent(member, position, succeeded: succeeded), into: &effects)
        case .snapshotReceived(let from, let term, let position, let configuration):
            step(.snapshotReceived(from: from, term: term, position, configuration), into: &effects)
        case .snapshotInstalled(let position, let members): install(position, members, into: &effects)
        }
        settle(into: &effects)
    }

    /// What may go on because of what has happened.
    private mutating func settle(into effects: inout ReplicaEffects) {
        if core.role != .leader { stopLeading() }
        for number in reads.takeFailed() { step(.readRequested(context: number), into: &effects) }
        proposeWhatWaits(into: &effects)
        reads.release(applied: applied.index, into: &effects.readsReleased)
        let held = policy.heldFor
        let matched = held.isEmpty ? [:] : core.matched(of: held)
        if let target = policy.cut(committed: core.committed, at: now, matched: matched) { effects.cutLog = target }
        if policy.wantsDurableTree(committed: core.committed) { effects.makeTreeDurable = true }
    }

    private mutating func lose(_ member: MemberID, _ input: CoreInput, into effects: inout ReplicaEffects) {
        if member == core.leader { forwards.loseLink(at: now) }
        underWay.lost(member)
        step(input, into: &effects)
    }

    private mutating func follow(
        _ position: LogPosition, _ requests: [UInt64], _ members: [Member]?, into effects: inout ReplicaEffects
    ) {
        if let members { self.members = members }
        forwards.see(requests)
        guard position.index > applied.index else { return }
        applied = position
        step(.applied(position.index), into: &effects)
        let log = core.log
        forwards.applied(position) { log.term(at: $0) }
    }

    private mutating func install(_ position: LogPosition, _ members: [Member]?, into effects: inout ReplicaEffects) {
        if let members { self.members = members }
        if position.index > applied.index { applied = position }
        step(.snapshotInstalled(position), into: &effects)
        cache.reset(next: core.last.index.next)
        changes.noteInstalled(position.index)
        forwards.forgetWhatIsUnderWay()
        policy.installed(position.index)
    }

    /// One step of the core; `source` is where the payloads of new entries come from.
    ///
    /// - Returns: where the proposals of the step begin; nil when they were refused.
    @discardableResult
    mutating func step(_ input: CoreInput, _ source: PayloadSource = .none, into effects: inout ReplicaEffects) -> Index? {
        core.step(input, at: now, into: &output)
        let done = output
        output = CoreOutput()
        carryOut(done, source, into: &effects)
        while let (member, index) = held.first {
            held[member] = nil
            step(.held(member, from: index), into: &effects)
        }
        return done.appended?.lowerBound
    }
}
