/// One member's view of the Raft protocol, as a state machine: inputs in, outputs out; no clock, disk, socket, thread or
/// foreign source of chance. It works on positions and never holds a payload.
///
/// Each role of it has a file: `RaftCore+Election`, `+Silence`, `+Follower`, `+Leader`, `+Replication`, `+Durability`, `+Membership`,
/// `+ReadIndex`, `+Transfer`, `+Space`, `+Snapshot`, `+Invariants`.
package struct RaftCore: Sendable {
    package enum Role: Hashable, Sendable { case follower, preCandidate, candidate, leader }

    package let id: MemberID
    package let settings: CoreSettings
    package internal(set) var role = Role.follower
    /// Invariant: never falls. Whoever is promised something in a term learns it when the term is durable.
    package internal(set) var term: Term
    package internal(set) var vote: MemberID
    /// The leader of `term`, as far as known.
    package internal(set) var leader = MemberID.none
    /// Committed and durable here. Invariant: committed = min(commit, durable), but for a moment of a step.
    package internal(set) var committed: Index
    /// Every entry up to here is on this member's disk, as the log has it now. Invariant: durable <= last.
    package internal(set) var durable: Index
    /// The state machine holds everything up to here.
    package internal(set) var applied: Index
    package internal(set) var log: LogShape

    /// Known to be committed in the cluster; this member's disk may be behind it (thesis §10.2.1). Invariant: <= last.
    var commit: Index
    var now: UInt64
    var numbers: SeededNumbers

    // Elections.
    var electionDeadline: UInt64 = 0
    /// When the leader was last heard, and of which term it was.
    var lastContact: UInt64 = 0
    var contactTerm: Term = 0
    /// How long it may be silent from then on, and until when that is an election timeout at least, however regularly it speaks.
    var patience: UInt64
    var waryUntil: UInt64 = 0
    /// Until then attempts follow each other quickly: the leader is suspected, or its process was seen to be dead, or this one has just started.
    var hurryUntil: UInt64 = 0
    var granted: [MemberID] = []
    var refused: [MemberID] = []

    /// What the disk takes, as far as it was told.
    package internal(set) var space = DiskSpace.free

    // Durability: orders that were given out and are not done, oldest first.
    var outstanding: [OutstandingOrder] = []
    var lastTicket: UInt64 = 0
    /// The hard state that was last given out to be written, and the one that is on disk.
    var ordered: Ballot
    var durableBallot: Ballot
    /// Up to here entries were given out with the permission to apply them as soon as they are durable.
    var handedOn: Index = 0

    // Membership: the committed configuration first, then at most one that is only in the log; and every change in the log.
    var configurations: [(index: Index, configuration: Configuration)]
    var changes: [(index: Index, change: ConfigurationChange)]

    // Following.
    /// The log was seen to agree with that of the leader of the term up to here. Invariant: >= commit.
    var agreed: Index
    /// A snapshot that is being put in place of state and log; appends are not taken meanwhile.
    var installing: (position: LogPosition, configuration: Configuration)?

    // Leading.
    /// Sorted by id. Empty unless leading.
    var peers: [PeerProgress] = []
    /// The first index of the term: a leader commits only from here on (thesis §3.6.2).
    var firstOfTerm: Index = 0
    var heartbeatDeadline: UInt64 = 0
    var round: UInt64 = 0
    var transfer: Transfer?
    /// Whom this leader has asked last to take over because its own disk has no room; `.none`: nobody since there was room.
    var retreatedTo = MemberID.none
    /// Members for which a snapshot was asked of the caller and is not reported sent.
    var snapshotsOnTheWay: [MemberID] = []
    /// Kept to be used again.
    var matches: [Index] = []

    // Linearizable reads.
    var waitingReads: [PendingRead] = []
    var readsInRound: [PendingRead] = []
    var readRound: UInt64 = 0
    var readIndex: Index = 0
    var forwardedReads: ForwardedReads?
    var nextReadNumber: UInt64

    /// A member that starts from what its disk holds: all of `log` is durable.
    ///
    /// - Parameters:
    ///   - configuration: as of the log's cut, or of any later applied position.
    ///   - changes: *all* membership changes in the log behind its cut, in order, those included that `configuration` knows: a
    ///     leader repeats them to members that are behind.
    ///   - applied: what the state machine holds.
    ///   - seed: of this life alone, so that two lives or two members do not make the same choices.
    package init(
        id: MemberID, settings: CoreSettings = CoreSettings(), hardState: HardState, log: LogShape, configuration: Configuration,
        changes: [(Index, ConfigurationChange)], applied: Index, now: UInt64, seed: UInt64
    ) {
        self.id = id
        self.settings = settings
        self.patience = settings.electionMilliseconds
        self.log = log
        self.now = now
        self.numbers = SeededNumbers(seed: seed ^ (id.value &* 0x9E37_79B9_7F4A_7C15) ^ now)
        self.term = max(hardState.term, log.last.term)
        // A term known only from the log is one in which this member has not voted: a vote is durable before anything of its term.
        self.vote = hardState.term == term ? hardState.vote : .none
        self.ordered = Ballot(term: term, vote: vote)
        self.durableBallot = ordered
        self.durable = log.last.index
        self.commit = max(min(max(hardState.commit, applied), log.last.index), log.cut.index)
        self.committed = commit
        self.applied = applied
        self.agreed = commit
        self.configurations = [(log.cut.index, configuration)]
        self.changes = []
        self.nextReadNumber = numbers.next()
        for (index, change) in changes where index > log.cut.index && index <= log.last.index {
            adopt(change, at: index)
        }
        forgetOldConfigurations()
        commitAddition()
        committed = commit
        // Who has just started knows of no leader to wait for. If there is one, the others refuse, and it will be heard soon.
        hurryUntil = now + settings.electionMilliseconds
        electionDeadline = now + drawElectionTimeout()
    }

    package var last: LogPosition { log.last }

    /// Who takes part as of the end of the log, committed or not (thesis §4.1).
    package var configuration: Configuration { configurations[configurations.count - 1].configuration }

    /// Nil before the cut and behind the end of the log.
    package func term(at index: Index) -> Term? { log.term(at: index) }

    /// When `tick` is due at the latest; nil: nothing happens by time alone.
    package var wakeUp: UInt64? {
        var time = UInt64.max
        if role == .leader {
            if !peers.isEmpty { time = heartbeatDeadline }
            if let transfer { time = min(time, transfer.deadline) }
            for place in peers.indices { time = min(time, gathersUntil(place) ?? time) }
        } else if isPromotable || leader != .none {
            time = electionDeadline
        }
        if let read = readsInRound.first { time = min(time, read.deadline) }
        if let read = waitingReads.first { time = min(time, read.deadline) }
        if let forwardedReads { time = min(time, forwardedReads.deadline) }
        return time == .max ? nil : time
    }

    /// Feeds one input, and fills `output` with everything that must happen because of it.
    /// - Precondition: `output` is empty; `persist` of an earlier step was taken out.
    package mutating func step(_ input: CoreInput, at time: UInt64, into output: inout CoreOutput) {
        precondition(output.persist == nil, "raft: an output was used for a second step before it was carried out")
        now = max(now, time)
        let before = (term: term, leader: leader)
        switch input {
        case .tick: tick(into: &output)
        case .received(let message): receive(message, into: &output)
        case .proposed(let proposals): propose(proposals, into: &output)
        case .persisted(let ticket): acknowledge(ticket, into: &output)
        case .applied(let index): learnApplied(index)
        case .readRequested(let context): requestRead(context, into: &output)
        case .held(let member, let index): hold(member, from: index)
        case .sent(let member, let previous, let end): noteSent(to: member, behind: previous, upTo: end, into: &output)
        case .linkLost(let member): loseLink(to: member, into: &output)
        case .memberDown(let member): noticeDown(member, into: &output)
        case .disk(let space): learnSpace(space, into: &output)
        case .transferLeadership(let target): startTransfer(to: target, into: &output)
        case .campaign: campaign(into: &output)
        case .snapshotSent(let member, let position, let succeeded):
            finishSnapshot(to: member, position, succeeded: succeeded, into: &output)
        case .snapshotReceived(let from, let term, let position, let configuration):
            consider(SnapshotOffer(from: from, term: term, position: position, configuration: configuration), into: &output)
        case .snapshotInstalled(let position): finishInstallation(position, into: &output)
        case .logCut(let position): cutLog(to: position.index)
        }
        finishStep(into: &output)
        if leader != before.leader || (term != before.term && leader != .none) {
            output.notices.append(.leaderChanged(term, leader))
        }
        checkInvariants()
    }

    private mutating func tick(into output: inout CoreOutput) {
        if role == .leader {
            tickAsLeader(into: &output)
        } else if now >= electionDeadline {
            endPatience(into: &output)
        }
        expireReads(into: &output)
    }

    func send(_ body: Message.Body, to member: MemberID, into output: inout CoreOutput) {
        output.send.append(Message(from: id, to: member, term: term, body: body))
    }
}
