import NIOCore
import PeerTransport
import Raft
import Replica
import Storage
import Wire

/// Messages from and to the other members.
extension ReplicaService {
    func startPeers() {
        let service = Weak(self)
        let handlers = PeerHandlers(
            accept: { hello in service.value?.refusal(of: hello) },
            received: { messages, _ in service.value?.receive(messages) },
            event: { event in
                guard let service = service.value else { return }
                service.turnLater { service.follow(event) }
            },
            notice: { one in service.value?.notice(.peer(one)) },
            clock: { service.value?.timeForOthers }, clockTold: { time, member in service.value?.hear(time, from: member) },
            snapshotOffered: { header, _ in service.value?.refusal(of: header) },
            snapshotReceived: { header, from, path, reply in
                if let service = service.value { service.take(header, from, path, reply) } else { reply("stopped") }
            })
        links = PeerLinks(
            loop: loop,
            identity: PeerIdentity(
                cluster: identity.cluster, member: identity.member, serverVersion: configuration.serverVersion,
                minimumVersion: configuration.minimumClusterVersion),
            transferDirectory: directory.transfer, handlers: handlers)
        let loop = loop
        let fetcher = LogFetcher(log: directory.log, loop: loop, fail: fail) { message, payloads in
            loop.assertInEventLoop()
            service.value?.take(message, fetched: payloads)
        }
        WorkerThread(name: "fetch") { fetcher.run() }.detach()
        self.fetcher = fetcher
        updatePeers()
        if currentMembers.contains(where: { $0.id == identity.member && $0.isRemoved }) { leaveForGood() }
    }

    func send(_ messages: [PeerMessage]) {
        guard !messages.isEmpty, let links else { return }
        for message in messages { links.send(message) }
    }

    private func take(_ message: Message, fetched payloads: [EntryPayload]?) {
        guard !isStopping else { return }
        step(.fetched(message, payloads))
        links?.flush()
    }

    private func receive(_ messages: [PeerMessage]) {
        guard !isStopping else { return }
        turn { for message in messages { step(.received(inTime(message))) } }
    }

    // MARK: The time of the cluster

    /// Only the leader's clock counts, so that a TTL means the same on all members and whoever leads next.
    private var timeForOthers: Int64? { machine.core.role == .leader && !isStopping ? clock.now : nil }

    private func hear(_ time: Int64, from member: MemberID) {
        if !isStopping, machine.core.role != .leader { clock.follow(time, of: member.value) }
    }

    /// A follower's clients are given the time by a clock that follows the leader's. One that has just started and has not heard of
    /// the time yet may be an hour off: what it proposes is put right here, before it gets into the log and drags all others along.
    private func inTime(_ message: PeerMessage) -> PeerMessage {
        guard case .forward(let from, let to, let term, let number, let payloads) = message, machine.core.role == .leader else { return message }
        let now = clock.now
        // It may be as old as this because it has waited for a leader.
        let ageMax = configuration.requestTimeoutNanoseconds
        let isStrange = { (payload: EntryPayload) in
            let age = now.subtractingReportingOverflow(payload.time)
            return age.overflow || age.partialValue.magnitude > ageMax.magnitude
        }
        guard payloads.contains(where: isStrange) else { return message }
        let shifted = payloads.map { isStrange($0) ? CommandCodec.shifted($0, to: now) : $0 }
        return .forward(from: from, to: to, term: term, number: number, payloads: shifted)
    }

    private func follow(_ event: PeerEvent) {
        guard !isStopping else { return }
        switch event {
        case .linkUp(let member):
            decideClusterVersion()
            offerSnapshotsAnew(to: member)
        case .linkLost(let member, _): step(.linkLost(member))
        case .memberDown(let member): step(.memberDown(member))
        // To end for good takes the word of a member.
        case .removedFromCluster(let member): if isKnown(member) { leaveForGood() }
        }
    }

    private func refusal(of hello: Hello) -> HelloRefusal? {
        if let refusal = refusalOfRemoved(hello) ?? refusalOfVersion(hello) { return refusal }
        // Whoever is not known now may be soon; but strangers must not fill the memory.
        if peerVersions.count >= Self.versionsMax { peerVersions = peerVersions.filter { id, _ in isKnown(id) } }
        peerVersions[hello.from] = hello.serverVersion
        return nil
    }

    private static let versionsMax = 64

    private func isKnown(_ id: MemberID) -> Bool { announced[id] != nil || currentMembers.contains { $0.id == id && !$0.isRemoved } }

    /// Who is not known here may have come while this member was away, and lead by now (thesis §4.1: whoever speaks is heard).
    private func refusalOfRemoved(_ hello: Hello) -> HelloRefusal? {
        let isRemoved = currentMembers.contains { $0.id == hello.from && $0.isRemoved }
        return isRemoved ? HelloRefusal(.senderRemoved, "removed member") : nil
    }
}

/// Confined to the loop of the service.
///
/// `@unchecked Sendable`: the service is, and the reference is never changed.
private final class Weak: @unchecked Sendable {
    private(set) weak var value: ReplicaService?

    init(_ value: ReplicaService) { self.value = value }
}
