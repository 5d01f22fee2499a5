import Keyspace
import NIOCore
import Raft
import Replica
import Storage
import Wire

/// What the threads report.
extension ReplicaService {
    func receive(_ messages: [LoopMessage]) {
        loop.assertInEventLoop()
        // A reading is delivered before the loop follows the next change: what is kept of it (`keep`) must not be older than the cache.
        for message in messages { work { receive(message) } }
        turn { watches.flush(into: &turns.deliveries) }
        for old in reads.takeForgotten() { threads?.tree.free(old) }
    }

    private func receive(_ message: LoopMessage) {
        switch message {
        case .persisted(let ticket, let requests, let bytes):
            for one in line.durable(requests) {
                send(one.messages)
                for request in one.answers { deliver(proposals.applied(request, .nothing)) }
            }
            step(.persisted(ticket))
            figures.counters.logBytesWritten &+= UInt64(max(0, bytes))
            if bytes > 0 { step(.logGrew(bytes: bytes)) }
        case .applied(let batch): follow(batch)
        case .read(let number, let result):
            figures.count(result)
            deliver(reads.finished(number, result))
        case .watch(let token, let path, let past, let index):
            if !watches.started(token, past, at: index, into: &turns.deliveries) { unwatch(path) }
        case .expirySlice(let time): expire(upTo: time)
        case .watchRefused(let token, let path): if !watches.refused(token, into: &turns.deliveries) { unwatch(path) }
        case .treeDurable(let index, let isAtRest): step(.treeDurable(index, isAtRest: isAtRest))
        case .logWasCut(let position): step(.logWasCut(position))
        case .diskFull(let source, let isFull): disk(source, isFull: isFull)
        case .commitTook(let nanoseconds, isLog: true): figures.counters.logCommits.record(nanoseconds: nanoseconds)
        case .commitTook(let nanoseconds, isLog: false): figures.counters.treeCommits.record(nanoseconds: nanoseconds)
        case .installed(let tree): follow(tree)
        case .flushed: treeFileCaughtUp()
        }
    }

    private func follow(_ batch: AppliedBatch) {
        figures.applied(batch.results.count, nanoseconds: batch.nanoseconds)
        tree.follow(batch)
        line.follow(applied: batch.upTo.index)
        clock.catchUp(with: batch.newestTime)
        if let all = batch.members { follow(all) }
        if let access = batch.access { follow(access) }
        let isAlone = batch.results.count == 1
        var hasExpired = false
        for result in batch.results {
            switch result.outcome {
            case .event(let event): see(event, isAlone: isAlone)
            case .expired(let events):
                tree.expired()
                hasExpired = true
                figures.count(expired: events.count)
                for event in events { see(event, isAlone: isAlone && events.count == 1) }
            case .membership(let change): see(change)
            case .nothing, .refused, .membershipRefused, .access, .accessRefused, .denied: break
            }
            if let operation = result.operation { figures.count(operation, result.outcome) }
        }
        // Behind the events, so that no client is answered before those that watch are told.
        for result in batch.results { deliver(proposals.applied(result.request, result.outcome)) }
        tellOutcomes(of: batch)
        let requests = machine.wantsAppliedRequests ? batch.results.map(\.request) : []
        step(.applied(batch.upTo, requests: requests, members: batch.members))
        if !reads.hasCaughtUp, isLeadingInFull { caughtUp() }
        publishIfReady()
        // The next slice, if this was not the last.
        if hasExpired { expire() }
    }

    private func see(_ event: Event, isAlone: Bool) {
        reads.follow(event, keeps: isLeading)
        watches.hear(event, isAlone: isAlone, into: &turns.deliveries)
    }

    private func see(_ change: MembershipChange) {
        switch change {
        case .add(let member): notice(.memberAdded(member.id, peerURLs: member.peerURLs, cluster: identity.cluster))
        case .clusterVersion(let version): take(clusterVersion: version)
        case .remove(let member): notice(.memberRemoved(member, cluster: identity.cluster))
        case .update, .publish: break
        }
    }

    private func take(clusterVersion version: String) {
        notice(.clusterVersionSet(version, before: membership.clusterVersion))
        if let reason = membership.take(clusterVersion: version) { fail(.refused(reason)) }
    }

    /// Log and tree are those of a snapshot. What came between is known to nobody here as single events.
    private func follow(_ installed: InstalledTree) {
        let before = tree.keysIndex
        tree.follow(installed)
        line.follow(applied: installed.position.index)
        clock.catchUp(with: installed.newestTime)
        if installed.clusterVersion != membership.clusterVersion { take(clusterVersion: installed.clusterVersion) }
        reads.forgetAll()
        figures.counters.isInstalling = false
        notice(.snapshotInstalled(installed.position.index))
        step(.snapshotInstalled(installed.position, members: installed.members))
        follow(installed.members)
        follow(installed.access)
        for watcher in watches.startAgain(since: before + 1, into: &turns.deliveries) {
            unwatch(watcher.path)
            submit(watcher)
        }
        publishIfReady()
    }

    private func disk(_ source: DiskFullSource, isFull: Bool) {
        let isNew = room.note(source, isFull: isFull)
        if isNew { notice(isFull ? .diskFull : .diskHasRoom) }
        line.treeDisk(isFull: room.isTreeFull)
        if isFull, source == .tree {
            // Its file would never catch up.
            deliver(copies.failBackups(.diskFull))
        }
        if isFull, isNew {
            // Those on their way may still happen when there is room; their clients need not wait to be told.
            let failed = proposals.takeAll()
            figures.counters.proposalsFailed += UInt64(failed.count)
            for waiting in failed { deliver(ProposalDesk.failure(of: waiting, .diskFull)) }
            step(.abandoned(failed.map(\.request)))
        }
        step(.disk(room.disk))
    }
}
