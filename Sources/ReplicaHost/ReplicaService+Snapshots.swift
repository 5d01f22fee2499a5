import NIOCore
import PeerTransport
import Raft
import Replica
import Storage
import Wire

/// The state itself, for and from members that need more than the log still holds (cluster.md §11).
extension ReplicaService {
    // MARK: Sending

    func sendSnapshot(to member: MemberID) {
        snapshotNumber += 1
        let path = "\(directory.transfer)/outgoing-\(snapshotNumber)"
        let (tree, log, cluster, fileLock, loop) = (directory.tree, directory.log, identity.cluster, fileLock, loop)
        let service = NIOLoopBound(self, eventLoop: loop)
        WorkerThread(name: "snapshot") {
            let made = Result { () throws(StorageError) in
                try fileLock.hold { () throws(StorageError) in
                    try SnapshotFile.make(tree: tree, log: log, cluster: cluster, to: path)
                }
            }
            loop.execute {
                let service = service.value
                service.turn {
                    switch made {
                    case .success(let manifest): service.send(manifest, path, to: member)
                    case .failure(let error): service.failedToCopy(error, for: member)
                    }
                }
            }
        }.detach()
    }

    private func send(_ manifest: SnapshotManifest, _ path: String, to member: MemberID) {
        guard !isStopping, let links else { return removeTransfer(path) }
        let header = SnapshotHeader(
            position: manifest.position, term: machine.core.term, configuration: manifest.configuration, stateHash: manifest.stateHash)
        links.sendSnapshot(to: member, header, path: path) { [self] outcome in
            turnLater { [self] in sent(manifest.position, path, to: member, outcome) }
        }
    }

    private func sent(_ position: LogPosition, _ path: String, to member: MemberID, _ outcome: SnapshotOutcome) {
        removeTransfer(path)
        guard !isStopping else { return }
        switch outcome {
        case .delivered: snapshotPatience.forget(member)
        case .failed: break
        case .refused: return waitAfterRefusal(of: member, position, seconds: snapshotPatience.refused(by: member))
        }
        step(.snapshotSent(member, position, succeeded: outcome.succeeded))
    }

    /// The machine, which would ask for the next snapshot at once, is told of the refusal only when it is time for that.
    private func waitAfterRefusal(of member: MemberID, _ position: LogPosition, seconds: Int64) {
        let service = NIOLoopBound(self, eventLoop: loop)
        refusedSnapshots[member] = loop.scheduleTask(in: .seconds(seconds)) { service.value.endWait(of: member, position) }
    }

    private func endWait(of member: MemberID, _ position: LogPosition) {
        guard refusedSnapshots.removeValue(forKey: member) != nil, !isStopping else { return }
        turn { step(.snapshotSent(member, position, succeeded: false)) }
    }

    /// Whoever is there now may take what the one before has refused.
    func offerSnapshotsAnew(to member: MemberID) {
        snapshotPatience.forget(member)
        guard let task = refusedSnapshots[member] else { return }
        task.cancel()
        endWait(of: member, .origin)
    }

    private func failedToCopy(_ error: StorageError, for member: MemberID) {
        if case .damaged = error { fail(error) }
        notice(.snapshotFailed("for \(member): \(error)"))
        // Not at once: what was in the way may need a while.
        let service = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: .seconds(1)) {
            let service = service.value
            guard !service.isStopping else { return }
            service.turn { service.step(.snapshotSent(member, .origin, succeeded: false)) }
        }
    }

    private func removeTransfer(_ path: String) {
        // Whatever is left is removed at the next start.
        do { try FileOperations.remove(path) } catch { notice(.snapshotFailed("\(error)")) }
    }

    // MARK: Receiving

    func refusal(of header: SnapshotHeader) -> String? {
        if isStopping { return "stopped" }
        if !fullDisks.isEmpty { return "no space left on the device" }
        return header.position.index <= machine.core.committed ? "entry \(header.position.index) is in the log here" : nil
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
        guard !isStopping else { return deliveries.append(.other { reply("stopped") }) }
        switch verified {
        case .success(let manifest) where manifest.position == header.position && manifest.stateHash == header.stateHash:
            offers.append(IncomingTree(path: path, manifest: manifest))
            deliveries.append(.other { reply(nil) })
            step(.snapshotReceived(from: from, term: header.term, manifest.position, manifest.configuration))
        case .success:
            removeTransfer(path)
            deliveries.append(.other { reply("it is not what was announced") })
        case .failure(let error):
            notice(.snapshotFailed("from \(from): \(error)"))
            removeTransfer(path)
            deliveries.append(.other { reply("\(error)") })
        }
    }

    func drop(_ position: LogPosition) {
        guard let place = offers.lastIndex(where: { $0.manifest.position == position }) else { return }
        removeTransfer(offers.remove(at: place).path)
    }

    func install(_ position: LogPosition) {
        guard let place = offers.firstIndex(where: { $0.manifest.position == position }) else {
            fail(.failed("the snapshot of entry \(position.index) is to be installed and is not here"))
        }
        notice(.snapshotInstalling(position.index))
        handedOn = position.index
        threads?.log.submit(.install(offers.remove(at: place)))
    }

    /// Log and tree are those of the snapshot. What came between is known to nobody here as single events.
    func follow(_ tree: InstalledTree) {
        let before = keysIndex
        applied = tree.position
        keysIndex = tree.keysIndex
        earliestExpiration = tree.earliestExpiration
        clock.catchUp(with: tree.newestTime)
        if tree.clusterVersion != clusterVersion { take(clusterVersion: tree.clusterVersion) }
        cache.removeAll()
        notice(.snapshotInstalled(tree.position.index))
        step(.snapshotInstalled(tree.position, members: tree.members))
        follow(tree.members)
        watchAgain(since: before + 1)
        announceIfReady()
    }

    /// Watchers get what they have missed out of the history, which came with the tree. A stream gets one event out of the past only
    /// (v2-keys.md §13), so it ends instead, and its client asks again.
    private func watchAgain(since: UInt64) {
        guard let threads else { return }
        for watcher in hub.takeAll() {
            threads.applier.submit(.unwatch(watcher.path))
            guard !watcher.isStream else {
                deliveries.append(.ended(watcher))
                continue
            }
            watcher.startAgain(since: since)
            waitingWatches[watcher.token.number] = watcher
            threads.applier.submit(.watch(watcher.token, watcher.path, recursive: watcher.recursive, since: watcher.since))
        }
    }
}
