import Keyspace
import NIOCore
import Raft
import Replica
import Storage
import Wire

/// What doors ask.
extension ReplicaService {
    // MARK: Changes of the tree

    @discardableResult
    package func propose(_ command: Command, client: [UInt8], answer: @escaping (ProposalResult) -> Void) -> RequestToken {
        loop.assertInEventLoop()
        if let reason = room.refusal(isServedByOthers: isServedByOthers) ?? (hasRoom(for: command) ? nil : .overloaded) {
            if reason != .stopped { figures.counters.proposalsFailed += 1 }
            answer(.unavailable(reason))
            return .answered
        }
        let request = proposals.newRequest()
        let payload = CommandCodec.encode(command, time: clock.now, client: client, request: request)
        proposals.add(payload, start: WallClock.steady, patience: configuration.requestTimeoutNanoseconds, .keys(answer))
        turn { gather(payload) }
        return .proposal(request)
    }

    /// Also what nobody waits for any more takes memory until the log thread has written it.
    private func hasRoom(for command: Command) -> Bool {
        proposals.hasRoom(for: command) && line.bytesUnwritten <= configuration.pendingProposalBytesMax
    }

    /// Into the log with it, alone or in company.
    func gather(_ payload: EntryPayload) {
        switch proposals.gather(payload, isAlone: isLoneVoter, isLogIdle: line.isLogIdle) {
        case .now: proposeGathered()
        case .alreadyArranged: break
        case .atTheEndOfTheTurn:
            loop.execute {
                self.proposals.turnEnds()
                self.turn { self.proposeGathered() }
            }
        }
    }

    private func proposeGathered() {
        let payloads = proposals.takeGathered()
        if !payloads.isEmpty { step(.proposed(payloads)) }
    }

    package func withdraw(_ token: RequestToken) {
        loop.assertInEventLoop()
        switch token {
        case .answered: break
        case .proposal(let request):
            if case .proposed = proposals.withdraw(request) { turn { step(.abandoned([request])) } }
        case .read(let number): if reads.withdraw(number) { turn { step(.readsAbandoned([number])) } }
        case .backup(let number): copies.withdraw(number)
        }
    }

    // MARK: Reads

    package func cached(_ path: TreePath, recursive: Bool) -> CachedReading? {
        guard let reading = reads.cached(path, recursive: recursive) else { return nil }
        figures.found()
        return reading
    }

    @discardableResult
    package func read(
        _ path: TreePath, recursive: Bool, quorum: Bool, encoder: (any ListingEncoding)?, answer: @escaping (ReadResult) -> Void
    ) -> RequestToken {
        loop.assertInEventLoop()
        if room.isStopping { return refuse(answer, .stopped) }
        if quorum {
            // A lone voter that has just come to lead may hold entries that are committed, were even answered by the leader before, and are
            // not known to be: until its opening entry is applied it asks the machine, which waits for that.
            guard isLoneVoter, isLeadingInFull else {
                return readFromMajority(path, recursive: recursive, encoder: encoder, answer: answer)
            }
            // The only voter is its own majority. The read must see everything committed by now: when the loop has seen all of it
            // its cache is as good as the tree, and otherwise the apply thread's queue has it ahead of this read.
            let applied = tree.applied.index
            if machine.core.committed == applied, machine.core.last.index == applied,
                let reading = reads.cachedFile(path, recursive: recursive)
            {
                figures.found()
                answer(ReadResult(.found(reading), index: tree.keysIndex))
                return .answered
            }
        }
        guard let order = reads.order(path, recursive: recursive, encoder: encoder, answer) else { return refuse(answer, .overloaded) }
        submit(order)
        return .read(order.number)
    }

    /// A read round of the leader says how far this member must have applied.
    private func readFromMajority(
        _ path: TreePath, recursive: Bool, encoder: (any ListingEncoding)?, answer: @escaping (ReadResult) -> Void
    ) -> RequestToken {
        let number = reads.confirm(
            path, recursive: recursive, encoder: encoder, start: WallClock.steady, patience: configuration.requestTimeoutNanoseconds, answer)
        guard let number else { return refuse(answer, .overloaded) }
        turn { step(.readRequested(number)) }
        return .read(number)
    }

    private func refuse(_ answer: (ReadResult) -> Void, _ reason: Unavailable) -> RequestToken {
        answer(ReadResult(.unavailable(reason), index: 0))
        return .answered
    }

    func submit(_ order: ReadDesk.Order) {
        threads?.applier.submit(
            .read(
                LongReader.Listing(
                    number: order.number, path: order.path, isRecursive: order.isRecursive, encoder: order.encoder,
                    abandonment: order.abandonment, deadline: WallClock.steady + configuration.requestTimeoutNanoseconds)))
    }

    package func keep(_ body: ByteBuffer, path: TreePath, recursive: Bool) { reads.keep(body, path: path, recursive: recursive) }

    // MARK: Watches

    package func watch(_ path: TreePath, recursive: Bool, isStream: Bool, since: UInt64, sink: any WatchSink) -> WatchToken {
        loop.assertInEventLoop()
        let token = watches.newToken()
        figures.counters.watchRequests += 1
        if room.isStopping {
            sink.ended()
        } else if watches.isFull {
            sink.unavailable(.overloaded)
        } else {
            let watcher = Watcher(token, path: path, recursive: recursive, isStream: isStream, since: since, sink: sink)
            watches.ask(watcher)
            submit(watcher)
        }
        return token
    }

    package func cancel(_ token: WatchToken) { unwatch(watches.cancel(token)) }

    func submit(_ watcher: Watcher) {
        threads?.applier.submit(.watch(watcher.past))
    }

    func unwatch(_ path: TreePath?) { if let path { threads?.applier.submit(.unwatch(path)) } }

    // MARK: Backups

    @discardableResult
    package func backup(answer: @escaping (Result<BackupCopy, Unavailable>) -> Void) -> RequestToken {
        // The tree's file would never catch up.
        if let reason: Unavailable = room.isStopping ? .stopped : room.isTreeFull ? .diskFull : nil {
            answer(.failure(reason))
            return .answered
        }
        guard let number = copies.ask(answer) else {
            answer(.failure(.overloaded))
            return .answered
        }
        turn { makeNextCopy() }
        return .backup(number)
    }

    // MARK: What is known

    package var status: ReplicaStatus {
        var status = ReplicaStatus()
        status.memberID = identity.member.value
        status.clusterID = identity.cluster.value
        status.name = configuration.name
        status.leader = machine.core.leader.value
        status.leaderSince = leader.since
        status.startTime = startTime
        status.term = machine.core.term.value
        status.commitIndex = machine.core.committed.value
        status.appliedIndex = tree.applied.index.value
        status.clusterVersion = membership.clusterVersion
        status.keysIndex = tree.keysIndex
        status.isLeader = isLeading
        status.isDiskFull = room.isFull
        status.now = clock.now
        status.electionTimeoutMilliseconds = configuration.electionMilliseconds
        return status
    }

    package var members: [MemberRecord] { membership.records(counted: machine.core.configuration) }

    package var storeStatistics: StoreStatistics {
        var shown = figures.store
        shown.watchers = UInt64(watches.count)
        return shown
    }

    package var counters: ReplicaCounters {
        var shown = figures.counters
        shown.proposalsPending = UInt64(proposals.count)
        shown.treeBytes = UInt64(max(0, FileOperations.size(directory.tree) ?? 0))
        return shown
    }

    package var peers: [PeerRecord] {
        (links?.statistics ?? []).map { peer in
            var record = PeerRecord(id: peer.member.value)
            record.isConnected = peer.connectedFor != nil
            record.disconnects = peer.connectsTotal - (peer.connectedFor == nil ? 0 : 1)
            record.bytesSent = peer.bytesSent
            record.bytesReceived = peer.bytesReceived
            record.sendFailures = peer.messagesDropped
            record.roundTrips = peer.roundTrips.histogram
            record.snapshots = figures.snapshots[peer.member] ?? PeerRecord.Snapshots()
            return record
        }
    }

    package var followers: [FollowerRecord]? {
        guard isLeading else { return nil }
        return (links?.statistics ?? []).filter { machine.core.configuration.contains($0.member) }.map { peer in
            var record = FollowerRecord(id: peer.member.value)
            record.successes = peer.appendsSent
            record.failures = peer.messagesDropped
            record.current = peer.roundTrips.lastSeconds * 1000
            record.average = peer.roundTrips.averageSeconds * 1000
            record.deviation = peer.roundTrips.standardDeviationSeconds * 1000
            record.minimum = peer.roundTrips.minimumSeconds * 1000
            record.maximum = peer.roundTrips.maximumSeconds * 1000
            return record
        }
    }

    package var appendCounts: (received: UInt64, sent: UInt64) {
        let peers = links?.statistics ?? []
        return (peers.reduce(0) { $0 + $1.appendsReceived }, peers.reduce(0) { $0 + $1.appendsSent })
    }
}
