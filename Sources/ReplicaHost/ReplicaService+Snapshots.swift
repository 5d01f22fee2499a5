import NIOCore
import PeerTransport
import Raft
import Replica
import Storage
import Wire

/// The state itself, for and from members that need more than the log still holds (cluster.md §11). How a copy is made: `+Copies`.
extension ReplicaService {
    // MARK: Sending

    func sendSnapshot(to member: MemberID) {
        copies.ask(for: member)
        makeNextCopy()
    }

    func send(_ manifest: SnapshotManifest, _ path: String, to member: MemberID) {
        guard !room.isStopping, let links else { return removeTransfer(path) }
        let header = SnapshotHeader(
            position: manifest.position, term: machine.core.term, configuration: manifest.configuration, stateHash: manifest.stateHash)
        let start = WallClock.steady
        figures.snapshots[member, default: .init()].sending += 1
        links.sendSnapshot(to: member, header, path: path) { [self] outcome in
            turnLater { [self] in
                figures.sentSnapshot(to: member, nanoseconds: UInt64(max(0, WallClock.steady - start)), succeeded: outcome.succeeded)
                sent(manifest.position, path, to: member, outcome)
            }
        }
    }

    private func sent(_ position: LogPosition, _ path: String, to member: MemberID, _ outcome: SnapshotOutcome) {
        removeTransfer(path)
        guard !room.isStopping, snapshots.ended(member, position, outcome, at: WallClock.steady) else { return }
        step(.snapshotSent(member, position, succeeded: outcome.succeeded))
    }

    func failedToCopy(_ error: StorageError, for member: MemberID) {
        if case .damaged = error { fail(error) }
        notice(.snapshotFailed("for \(member): \(error)"))
        snapshots.failed(member, at: WallClock.steady)
    }

    func removeTransfer(_ path: String) {
        // Whatever is left is removed at the next start.
        do { try FileOperations.remove(path) } catch { notice(.snapshotFailed("\(error)")) }
    }

    // MARK: Receiving

    private func refusal(of header: SnapshotHeader) -> String? {
        if room.isStopping { return "stopped" }
        if room.isFull { return "no space left on the device" }
        return header.position.index <= machine.core.committed ? "entry \(header.position.index) is in the log here" : nil
    }

    /// Why it is not let in; nil: it comes.
    func admit(_ header: SnapshotHeader, from member: MemberID) -> String? {
        if let reason = refusal(of: header) { return reason }
        figures.startsToReceive(from: member, at: WallClock.steady)
        return nil
    }

    func take(_ header: SnapshotHeader, _ from: MemberID, _ path: String, _ reply: @escaping (String?) -> Void) {
        let box = NIOLoopBound((service: self, reply: reply), eventLoop: loop)
        let (cluster, loop) = (identity.cluster, loop)
        WorkerThread(name: "verify") {
            let verified = Result { () throws(StorageError) in try SnapshotFile.verify(path, cluster: cluster) }
            loop.execute {
                let (service, reply) = box.value
                service.turn { service.finishTaking(header, from, path, verified, reply) }
            }
        }.detach()
    }

    private func finishTaking(
        _ header: SnapshotHeader, _ from: MemberID, _ path: String, _ verified: Result<SnapshotManifest, StorageError>,
        _ reply: @escaping (String?) -> Void
    ) {
        let refusal: String?
        switch verified {
        case _ where room.isStopping: refusal = "stopped"
        case .success(let manifest) where manifest.position == header.position && manifest.stateHash == header.stateHash:
            refusal = nil
            snapshots.offer(IncomingTree(path: path, manifest: manifest))
            step(.snapshotReceived(from: from, term: header.term, manifest.position, manifest.configuration))
        case .success: refusal = "it is not what was announced"
        case .failure(let error):
            refusal = "\(error)"
            notice(.snapshotFailed("from \(from): \(error)"))
        }
        figures.received(from: from, at: WallClock.steady, succeeded: refusal == nil)
        if refusal != nil, !room.isStopping { removeTransfer(path) }
        deliver(.other { reply(refusal) })
    }

    func install(_ position: LogPosition) {
        guard let incoming = snapshots.take(position) else {
            fail(.failed("the snapshot of entry \(position.index) is to be installed and is not here"))
        }
        figures.counters.isInstalling = true
        notice(.snapshotInstalling(position.index))
        line.install(position.index)
        threads?.log.submit(.install(incoming))
    }
}
