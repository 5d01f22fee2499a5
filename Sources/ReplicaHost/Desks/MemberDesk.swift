import PeerTransport
import Raft
import Storage
import Wire

/// Who are the members, where, and of which version?
///
/// The membership is what is applied. Around it lies what only the log says yet, for a member counts, and must be reachable, from the moment
/// that its addition is in the log. `+Version` decides the version of the cluster, `+Changes` which changes are too risky.
struct MemberDesk {
    let own: MemberID
    let configuration: ReplicaConfiguration
    /// As applied; removed ones too.
    private(set) var all: [Member]
    /// URLs of members whose addition is in the log here and not applied yet, or that a member which joins was told.
    private var announced: [MemberID: [String]]
    /// From the time before the start: peer URLs of updates that were not applied by then. They may be right, so both are tried.
    private var moving: [MemberID: [String]]
    /// From the time before the start: client URLs that were not applied by then.
    private let published: [MemberID: [String]]
    /// This member was removed from the cluster.
    private(set) var isRemoved = false
    /// When this member last said its name and URLs; nil: it need not be repeated.
    private var saidAt: Int64?

    /// `3.4.0`; empty until the cluster has agreed on one.
    var clusterVersion: String
    /// What the others run, as they said when they were last connected.
    var serverVersions: [MemberID: String] = [:]
    /// On its way through the log, and since when on the steady clock.
    var versionProposed: (version: ClusterVersion, at: Int64)?

    init(own: MemberID, _ configuration: ReplicaConfiguration, _ all: [Member], clusterVersion: String, inLog: MembersInLog) {
        self.own = own
        self.configuration = configuration
        self.all = all
        self.clusterVersion = clusterVersion
        announced = inLog.announced
        moving = inLog.moving
        published = inLog.published
        for member in configuration.joinPeers { announced[member.id] = member.peerURLs }
    }

    var present: [Member] { all.filter { !$0.isRemoved } }

    func isKnown(_ id: MemberID) -> Bool { announced[id] != nil || all.contains { $0.id == id && !$0.isRemoved } }

    var isOwnRemovalApplied: Bool { all.contains { $0.id == own && $0.isRemoved } }

    /// False when it was known.
    mutating func leave() -> Bool {
        defer { isRemoved = true }
        return !isRemoved
    }

    /// For clients, ordered by id.
    ///
    /// - Parameter counted: by Raft.
    func records(counted: Configuration) -> [MemberRecord] {
        var records = present.map {
            MemberRecord(
                id: $0.id.value, name: $0.name, peerURLs: $0.peerURLs,
                clientURLs: $0.clientURLs.isEmpty ? published[$0.id] ?? [] : $0.clientURLs, isLearner: $0.isLearner)
        }
        // One that the cluster waits for must find itself here to come.
        for member in onTheirWay(counted: counted) {
            records.append(
                MemberRecord(id: member.id.value, name: "", peerURLs: member.peerURLs, clientURLs: published[member.id] ?? []))
        }
        return records.count > 1 ? records.sorted { $0.id < $1.id } : records
    }

    /// Members that Raft counts, and whose addition is not applied yet. What a new leader has taken out of the log is not among them.
    func onTheirWay(counted: Configuration) -> [Member] {
        announced.filter { id, _ in counted.contains(id) && !all.contains { $0.id == id } }.map { Member(id: $0, peerURLs: $1) }
    }

    /// Whom to talk with, and where; and whose words count no more.
    var peers: (list: [(MemberID, urls: [String])], removed: Set<MemberID>) {
        var urls = announced
        for member in all { urls[member.id] = member.isRemoved ? nil : member.peerURLs + (moving[member.id] ?? []) }
        return (urls.sorted { $0.key < $1.key }.map { ($0.key, urls: $0.value) }, Set(all.filter(\.isRemoved).map(\.id)))
    }

    // MARK: What happens to them

    mutating func follow(_ members: [Member]) {
        all = members
        for member in members {
            announced[member.id] = nil
            if let urls = moving[member.id], urls == member.peerURLs { moving[member.id] = nil }
        }
    }

    /// These entries go into the log.
    ///
    /// - Returns: whether somebody is new, and the requests that are answered when the entries are durable, whatever the new member says.
    mutating func note(_ entries: [LogEntry], isLeading: Bool) -> (isChanged: Bool, answers: [UInt64]) {
        var isChanged = false
        var answers: [UInt64] = []
        for entry in entries where entry.payload.kind == EntryKind.membership.rawValue {
            guard case .add(let member) = MembershipCodec.decode(entry.payload), !MembershipCodec.isVoid(entry.payload) else { continue }
            announced[member.id] = member.peerURLs
            isChanged = true
            // The second member of a cluster has a say in its own addition. It cannot say it before it knows that it was added; so the
            // addition counts as done when it is in the log of the first member, which nobody else can replace.
            let isFirstOfTwo = all.count { !$0.isRemoved && !$0.isLearner } == 1
            if isFirstOfTwo, isLeading, member.id != own { answers.append(entry.payload.request) }
        }
        return (isChanged, answers)
    }

    // MARK: What this member says of itself

    var isPublished: Bool {
        all.contains { $0.id == own && $0.name == configuration.name && $0.clientURLs == configuration.clientURLs }
    }

    /// A new cluster records itself; a member whose name or URLs have changed publishes them again.
    ///
    /// - Parameter now: steady nanoseconds.
    mutating func ownWords(isAlone: Bool, at now: Int64) -> [MembershipChange] {
        var changes: [MembershipChange] = []
        if isAlone, !all.contains(where: { $0.id == own }) { changes.append(.add(Member(id: own, peerURLs: configuration.peerURLs))) }
        if !isPublished, saidAt == nil {
            saidAt = now
            changes.append(.publish(own, name: configuration.name, clientURLs: configuration.clientURLs))
        }
        return changes
    }

    /// What this member has said of itself did not come through: it is to be said again.
    mutating func mustSayAgain(at now: Int64) -> Bool {
        guard let saidAt, !isPublished, now - saidAt > configuration.requestTimeoutNanoseconds else { return false }
        self.saidAt = nil
        return true
    }

    // MARK: Those who connect

    /// Whether to talk with the member that says this.
    mutating func refusal(of hello: Hello) -> HelloRefusal? {
        // Who is not known here may have come while this member was away, and lead by now (thesis §4.1: whoever speaks is heard).
        if all.contains(where: { $0.id == hello.from && $0.isRemoved }) { return HelloRefusal(.senderRemoved, "removed member") }
        if let refusal = refusalOfVersion(hello) { return refusal }
        // Whoever is not known now may be soon; but strangers must not fill the memory.
        if serverVersions.count >= Self.versionsMax { serverVersions = serverVersions.filter { id, _ in isKnown(id) } }
        serverVersions[hello.from] = hello.serverVersion
        return nil
    }

    private static let versionsMax = 64
}
