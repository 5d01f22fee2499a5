import Keyspace
import Raft
import Replica
import Storage
import Wire

/// The tree thread, and snapshots in both directions.
extension SimulatedMember {
    func startTree(after microseconds: UInt64) {
        guard !isTreeTurnDue else { return }
        isTreeTurnDue = true
        world.schedule(after: microseconds, .treeTurn(process))
    }

    /// One layer into the file, and a checkpoint when it is due or asked for.
    func treeTurn() throws(StorageError) {
        isTreeTurnDue = false
        do {
            if layer == nil { layer = applier.freeze() }
            if let layer {
                try tree.write(layer)
                try noteDisk(isTreeFull: false)
                self.layer = nil
                _ = applier.written()
            }
            if chance.happens(20), try tree.giveBackStep(isAtRest: true) { world.count("steps of space given back") }
            if chance.happens(5), try tree.cutWAL() { try handle(.treeDurable(tree.durable.index, isAtRest: chance.happens(50))) }
            let wasAsked = wantsCheckpoint
            if try tree.checkpointIfDue(force: wasAsked || chance.happens(10)) {
                wantsCheckpoint = false
                try handle(.treeDurable(tree.durable.index))
            } else if wasAsked {
                startTree(after: 100_000)
            }
        } catch .diskFull {
            if layer != nil { try noteDisk(isTreeFull: true) }
            startTree(after: 250_000)
        } catch { throw error }
        if applier.hasChanges { startTree(after: 200_000) }
    }

    // MARK: Sending

    /// Payloads that the machine no longer holds are read from the log, and are there a little later.
    func fetch(_ message: Message) throws(StorageError) {
        guard case .append(_, let entries, _) = message.body else { return }
        let payloads = try logReader.payloads(of: entries[...], bytes: 1 << 20)
        if payloads == nil { world.count("fetches in vain") }
        world.schedule(after: chance.skewed(50...5_000), .tell(process, .fetched(message, payloads)))
    }

    func makeSnapshot(to peer: MemberID) throws(StorageError) {
        snapshotNumber += 1
        let path = "\(directory.transfer)/outgoing-\(snapshotNumber)"
        let manifest: SnapshotManifest
        do {
            manifest = try SnapshotFile.make(tree: directory.tree, log: directory.log, cluster: log.identity.cluster, to: path)
        } catch .refused {
            world.count("snapshots given up")
            return try handle(.snapshotSent(peer, .origin, succeeded: false))
        } catch .diskFull {
            return try handle(.snapshotSent(peer, .origin, succeeded: false))
        } catch { throw error }
        let size = FileOperations.size(path) ?? 0
        let bytes = SimulatedDisk.files.read(path, 0, size) ?? []
        try FileOperations.remove(path)
        world.count("snapshots sent")
        world.schedule(
            after: chance.within(10_000...2_000_000),
            .snapshotArrives(
                SnapshotTransfer(from: process, to: peer, term: machine.core.term, position: manifest.position, bytes: bytes)))
    }

    // MARK: Receiving

    /// Returns false when the transfer has failed.
    func receive(_ transfer: SnapshotTransfer, isInterrupted: Bool) throws(StorageError) -> Bool {
        snapshotNumber += 1
        let path = "\(directory.transfer)/incoming-\(snapshotNumber)"
        let bytes = isInterrupted ? Array(transfer.bytes.prefix(chance.below(transfer.bytes.count + 1))) : transfer.bytes
        guard SimulatedDisk.files.append(path, bytes) else {
            try FileOperations.remove(path)
            return false
        }
        if isInterrupted { return false }
        try FileOperations.synchronize(path)
        let manifest = try SnapshotFile.verify(path, cluster: log.identity.cluster)
        offers.append((path, manifest))
        world.count("snapshots received")
        try handle(
            .snapshotReceived(
                from: transfer.from.member, term: transfer.term, manifest.position, manifest.configuration))
        return true
    }

    func drop(offer position: LogPosition) {
        guard let place = offers.lastIndex(where: { $0.manifest.position == position }) else { return }
        try? FileOperations.remove(offers.remove(at: place).path)
    }

    /// On the log thread, behind everything that was to be written before.
    func install(_ position: LogPosition) throws(StorageError) {
        guard let place = offers.firstIndex(where: { $0.manifest.position == position }) else {
            return world.checks.report("snapshots", "\(id) is to install \(position.index), which it does not hold")
        }
        let offered = offers.remove(at: place)
        try SnapshotInstall.stage(offered.path, in: directory)
        try log.beginInstall(offered.manifest)
        layer = nil
        isTreeFull = false
        file.close()
        try tree.close()
        try SnapshotInstall.swap(in: directory)
        try log.finishInstall()
        tree = try TreeStore(directory.tree, historyEvents: World.historyEvents)
        file = try TreeReader(path: directory.tree, as: .reader)
        applier = try EntryApplier(file: file, historyEvents: World.historyEvents)
        recent = [:]
        terms = (position.index, [])
        applyTarget = position.index
        world.count("snapshots installed")
        world.checks.installed(position, hash: applier.state.hash, by: id)
        try handle(.snapshotInstalled(position, members: applier.members))
        try noteDisk()
        world.finishReads(on: self)
    }
}
