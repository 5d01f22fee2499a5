import Keyspace
import NIOCore
import Raft
import Replica
import Storage
import Wire

extension ReplicaService {
    // MARK: From the threads

    func receive(_ messages: [LoopMessage]) {
        loop.assertInEventLoop()
        // A reading is delivered before the loop follows the next change: what is kept of it (`keep`) must not be older than the cache.
        for message in messages { work { receive(message) } }
        turn { hub.flush(into: &deliveries) }
    }

    private func receive(_ message: LoopMessage) {
        switch message {
        case .persisted(let ticket, let requests, let bytes):
            persistsOnTheirWay -= requests
            let done = afterPersist.prefix(requests)
            afterPersist.removeFirst(requests)
            for one in done {
                send(one.messages)
                if !one.answers.isEmpty { answerAdditionOfSecond(one.answers) }
            }
            step(.persisted(ticket))
            if bytes > 0 { step(.logGrew(bytes: bytes)) }
        case .applied(let batch): follow(batch)
        case .read(let number, let result): finish(number, result)
        case .watch(let token, let path, let past, let index): started(token, past, index: index, path: path)
        case .treeDurable(let index): step(.treeDurable(index))
        case .logWasCut(let position): step(.logWasCut(position))
        case .diskFull(let source, let isFull): disk(source, isFull: isFull)
        case .commitTook(let nanoseconds, let isLog):
            if isLog {
                counts.logCommits.record(nanoseconds: nanoseconds)
            } else {
                counts.treeCommits.record(nanoseconds: nanoseconds)
            }
        case .installed(let tree): follow(tree)
        case .flushed: if !waitingFlushes.isEmpty { waitingFlushes.removeFirst()(true) }
        }
    }

    func follow(_ batch: AppliedBatch) {
        // The whole batch first, so that no answer leaves before the loop knows what it says.
        applied = batch.upTo
        keysIndex = batch.keysIndex
        earliestExpiration = batch.earliestExpiration
        clock.catchUp(with: batch.newestTime)
        if let members = batch.members { follow(members) }
        let isAlone = batch.results.count == 1
        for result in batch.results {
            switch result.outcome {
            case .event(let event): see(event, isAlone: isAlone)
            case .expired(let events):
                expirePending = false
                statistics.expires += UInt64(events.count)
                for event in events { see(event, isAlone: isAlone && events.count == 1) }
            case .membership(let change): see(change)
            case .nothing, .refused, .membershipRefused: break
            }
            if let waiting = memberBook.take(result.request) { deliveries.append(.other { waiting.answer(result.outcome) }) }
        }
        for result in batch.results {
            if let operation = result.operation { statistics.count(operation, result.outcome) }
            guard let answer = book.take(result.request)?.answer else { continue }
            switch result.outcome {
            case .event(let event): deliveries.append(.proposal(answer, .applied(event)))
            case .refused(let refusal, let index): deliveries.append(.proposal(answer, .refused(refusal, index: index)))
            case .nothing, .expired, .membership, .membershipRefused: deliveries.append(.proposal(answer, .unavailable(.stopped)))
            }
        }
        let requests = machine.wantsAppliedRequests ? batch.results.map(\.request) : []
        step(.applied(batch.upTo, requests: requests, members: batch.members))
        if let opening = openingEntry, applied.index >= opening {
            openingEntry = nil
            caughtUp()
        }
        announceIfReady()
    }

    func see(_ event: Event, isAlone: Bool) {
        cache.follow(event, keeps: machine.core.role == .leader)
        hub.publish(event, isAlone: isAlone, into: &deliveries)
    }

    func see(_ change: MembershipChange) {
        switch change {
        case .add(let member): notice(.memberAdded(member.id, peerURLs: member.peerURLs, cluster: identity.cluster))
        case .clusterVersion(let version):
            take(clusterVersion: version)
        case .remove(let member): notice(.memberRemoved(member, cluster: identity.cluster))
        case .update, .publish: break
        }
    }

    func finish(_ number: UInt64, _ result: ReadResult) {
        guard let (path, answer) = waitingReads.removeValue(forKey: number) else { return }
        switch result.outcome {
        case .found(let reading):
            statistics.gets.success += 1
            if case .file(let node) = reading { cache.keep(node, at: path) }
        case .refused: statistics.gets.fail += 1
        case .unavailable: break
        }
        if let answer { deliveries.append(.read(answer, result)) }
    }

    func disk(_ source: DiskFullSource, isFull: Bool) {
        if isFull {
            if fullDisks.isEmpty { notice(.diskFull) }
            fullDisks.insert(source)
            // Those on their way may still happen when there is room; their clients need not wait to be told.
            let failed = book.takeAll()
            counts.proposalsFailed += UInt64(failed.count)
            for waiting in failed { deliveries.append(.proposal(waiting.answer, .unavailable(.diskFull))) }
            step(.abandoned(failed.map(\.request)))
            if source == .tree { for number in waitingBackups.keys.sorted() { finishBackup(number, .failure(.diskFull)) } }
        } else {
            fullDisks.remove(source)
            if source == .tree { bytesAppliedWithoutRoom = 0 }
            if fullDisks.isEmpty { notice(.diskHasRoom) }
        }
        step(.disk(fullDisks.contains(.log) ? .full : fullDisks.isEmpty ? .free : .logOnly))
    }
}
