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
            event: { event in service.value?.follow(event) },
            notice: { one in service.value?.notice(.peer(one)) },
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
        let fetcher = LogFetcher(log: directory.log, loop: loop, fail: fail) { messages in
            loop.assertInEventLoop()
            service.value?.sendFetched(messages)
        }
        WorkerThread(name: "fetch") { fetcher.run() }.detach()
        self.fetcher = fetcher
        updatePeers()
        if currentMembers.contains(where: { $0.id == identity.member && $0.isRemoved }) { leaveForGood() }
    }

    func send(_ messages: [PeerMessage]) {
        guard !messages.isEmpty, let links else { return }
        for message in messages {
            if fetcher?.takes(message) == true { continue }
            links.send(message)
        }
    }

    private func sendFetched(_ messages: [PeerMessage]) {
        guard let links, !isStopping else { return }
        for message in messages { links.send(message) }
        links.flush()
    }

    private func receive(_ messages: [PeerMessage]) {
        guard !isStopping else { return }
        for message in messages { step(.received(message)) }
        links?.flush()
    }

    private func follow(_ event: PeerEvent) {
        guard !isStopping else { return }
        switch event {
        case .linkUp: decideClusterVersion()
        case .linkLost(let member, _): step(.linkLost(member))
        case .memberDown(let member): step(.memberDown(member))
        case .removedFromCluster: leaveForGood()
        }
        links?.flush()
    }

    private func refusal(of hello: Hello) -> HelloRefusal? {
        if let refusal = refusalOfStranger(hello) ?? refusalOfVersion(hello) { return refusal }
        peerVersions[hello.from] = hello.serverVersion
        return nil
    }

    private func refusalOfStranger(_ hello: Hello) -> HelloRefusal? {
        if let member = currentMembers.first(where: { $0.id == hello.from }) {
            return member.isRemoved ? HelloRefusal(.senderRemoved, "removed member") : nil
        }
        // One that joins knows nobody before it has heard from the leader.
        if currentMembers.isEmpty || announced[hello.from] != nil { return nil }
        return HelloRefusal(.senderNotFound, "error sender not found")
    }
}

/// Confined to the loop of the service.
///
/// `@unchecked Sendable`: the service is, and the reference is never changed.
private final class Weak: @unchecked Sendable {
    private(set) weak var value: ReplicaService?

    init(_ value: ReplicaService) { self.value = value }
}
