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
            notice: { one in
                if case .snapshotBroken(let member, _) = one { service.value?.figures.received(from: member, at: WallClock.steady, succeeded: false) }
                service.value?.notice(.peer(one))
            },
            clock: { service.value?.timeForOthers }, clockTold: { time, member in service.value?.hear(time, from: member) },
            snapshotOffered: { header, member in service.value?.admit(header, from: member) },
            snapshotReceived: { header, from, path, reply in
                if let service = service.value { service.take(header, from, path, reply) } else { reply("stopped") }
            })
        links = PeerLinks(
            loop: loop,
            identity: PeerIdentity(
                cluster: identity.cluster, member: identity.member, serverVersion: configuration.serverVersion,
                minimumVersion: configuration.minimumClusterVersion),
            transferDirectory: directory.transfer, tls: configuration.peerTLS, handlers: handlers)
        let loop = loop
        let fetcher = LogFetcher(log: directory.log, loop: loop, fail: fail) { message, payloads in
            loop.assertInEventLoop()
            service.value?.take(message, fetched: payloads)
        }
        WorkerThread(name: "fetch") { fetcher.run() }.detach()
        self.fetcher = fetcher
        updatePeers()
        if membership.isOwnRemovalApplied { leaveForGood() }
    }

    func updatePeers() {
        let peers = membership.peers
        links?.setPeers(peers.list, removed: peers.removed)
    }

    /// Nanoseconds for which each other member has been connected without a break; without those that are not.
    var connections: [MemberID: Int64] {
        var connections: [MemberID: Int64] = [:]
        for peer in links?.statistics ?? [] { connections[peer.member] = peer.connectedFor?.nanoseconds }
        return connections
    }

    // MARK: Messages

    func send(_ messages: [PeerMessage]) {
        guard !messages.isEmpty, let links else { return }
        for message in messages {
            tellOutcomes(of: message)
            links.send(message)
        }
    }

    private func take(_ message: Message, fetched payloads: [EntryPayload]?) {
        guard !room.isStopping else { return }
        turn { step(.fetched(message, payloads)) }
    }

    private func receive(_ messages: [PeerMessage]) {
        guard !room.isStopping else { return }
        turn { for message in messages where !takeOutcome(message) { step(.received(inTime(message))) } }
    }

    private func refusal(of hello: Hello) -> HelloRefusal? {
        if let refusal = membership.refusal(of: hello) { return refusal }
        rights.note(hello, isKnown: membership.isKnown)
        return nil
    }

    private func follow(_ event: PeerEvent) {
        guard !room.isStopping else { return }
        switch event {
        case .linkUp(let member):
            decideClusterVersion()
            if snapshots.connected(member) { step(.snapshotSent(member, .origin, succeeded: false)) }
        case .linkLost(let member, _): step(.linkLost(member))
        case .memberDown(let member): step(.memberDown(member))
        // To end for good takes the word of a member.
        case .removedFromCluster(let member): if membership.isKnown(member) { leaveForGood() }
        }
    }

    // MARK: Who the others are

    func follow(_ all: [Member]) {
        membership.follow(all)
        updatePeers()
        if membership.isOwnRemovalApplied { leaveForGood() }
    }

    /// This member was removed from the cluster.
    private func leaveForGood() {
        guard !room.isStopping, membership.leave() else { return }
        notice(.removed)
        // What was just applied may still have to be told to others.
        let service = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: .milliseconds(200)) { service.value.onRemoved() }
    }
}

/// Confined to the loop of the service.
///
/// `@unchecked Sendable`: the service is, and the reference is never changed.
private final class Weak: @unchecked Sendable {
    private(set) weak var value: ReplicaService?

    init(_ value: ReplicaService) { self.value = value }
}
