import Keyspace
import NIOCore
import Raft
import Replica
import Storage

extension ReplicaService {
    // MARK: Doors: reads

    package func cached(_ path: TreePath, recursive: Bool) -> CachedReading? {
        guard let reading = cache.reading(path, recursive: recursive) else { return nil }
        statistics.gets.success += 1
        return reading
    }

    @discardableResult
    package func read(_ path: TreePath, recursive: Bool, quorum: Bool, answer: @escaping (ReadResult) -> Void) -> RequestToken {
        loop.assertInEventLoop()
        guard !isStopping else {
            answer(ReadResult(.unavailable(.stopped), index: 0))
            return .answered
        }
        // A lone voter that has just come to lead may hold entries that are committed, were even answered by the leader before, and are
        // not known to be: until its opening entry is applied it asks the machine, which waits for that.
        if quorum, !isLoneVoter || machine.core.role != .leader || openingEntry != nil {
            return readFromMajority(path, recursive: recursive, answer: answer)
        }
        if quorum {
            // The only voter is its own majority. The read must see everything committed by now: when the loop has seen all of it
            // its cache is as good as the tree, and otherwise the apply thread's queue has it ahead of this read.
            if machine.core.committed == applied.index, machine.core.last.index == applied.index,
                let reading = cache.reading(path, recursive: recursive), case .file(let node) = reading
            {
                statistics.gets.success += 1
                answer(ReadResult(.found(.file(node)), index: keysIndex))
                return .answered
            }
        }
        return .read(readFromTree(newNumber(), path, recursive: recursive, answer: answer))
    }

    @discardableResult
    private func readFromTree(_ number: UInt64, _ path: TreePath, recursive: Bool, answer: @escaping (ReadResult) -> Void) -> UInt64 {
        waitingReads[number] = (path, answer)
        threads?.applier.submit(.read(number: number, path, recursive: recursive))
        return number
    }

    /// A read round of the leader says how far this member must have applied.
    private func readFromMajority(_ path: TreePath, recursive: Bool, answer: @escaping (ReadResult) -> Void) -> RequestToken {
        guard !quorumReads.isFull else {
            answer(ReadResult(.unavailable(.overloaded), index: 0))
            return .answered
        }
        let number = newNumber()
        let now = WallClock.steady
        quorumReads.add(
            number, deadline: now + configuration.requestTimeoutNanoseconds,
            PendingRead(number: number, path: path, isRecursive: recursive, start: now, answer: answer))
        turn { step(.readRequested(number)) }
        return .read(number)
    }

    /// Everything that the read had to wait for is applied, and known here.
    func release(_ number: UInt64) {
        if number == barrier {
            barrier = nil
            if !hasCaughtUp { caughtUp() }
        }
        guard let read = quorumReads.take(number) else { return }
        if let reading = cache.reading(read.path, recursive: read.isRecursive), case .file(let node) = reading {
            statistics.gets.success += 1
            return deliveries.append(.read(read.answer, ReadResult(.found(.file(node)), index: keysIndex)))
        }
        readFromTree(number, read.path, recursive: read.isRecursive, answer: read.answer)
    }

    package func keep(_ body: ByteBuffer, path: TreePath, recursive: Bool) {
        cache.keep(body, path: path, recursive: recursive)
    }

    func newNumber() -> UInt64 {
        nextNumber += 1
        return nextNumber
    }

    // MARK: Doors: watches

    package func watch(
        _ path: TreePath, recursive: Bool, isStream: Bool, since: UInt64, sink: any WatchSink
    ) -> WatchToken {
        loop.assertInEventLoop()
        let token = WatchToken(newNumber())
        counts.watchRequests += 1
        guard !isStopping, let threads else {
            sink.ended()
            return token
        }
        waitingWatches[token.number] = Watcher(
            token, path: path, recursive: recursive, isStream: isStream, since: since, sink: sink)
        threads.applier.submit(.watch(token, path, recursive: recursive, since: since))
        return token
    }

    package func cancel(_ token: WatchToken) {
        // One that the apply thread has not answered yet is forgotten when the answer finds nobody.
        if let watcher = waitingWatches.removeValue(forKey: token.number) { return watcher.cancel() }
        guard let watcher = hub.unregister(token) else { return }
        watcher.cancel()
        threads?.applier.submit(.unwatch(watcher.path))
    }

    func started(_ token: WatchToken, _ past: EntryApplier.Past, index: UInt64, path: TreePath) {
        guard let watcher = waitingWatches.removeValue(forKey: token.number) else {
            threads?.applier.submit(.unwatch(path))
            return
        }
        switch past {
        case .nothing:
            hub.register(watcher)
            if !watcher.isStarted { deliveries.append(.started(watcher, index: index)) }
        case .event(let event):
            if !watcher.isStarted { deliveries.append(.started(watcher, index: index)) }
            deliveries.append(.event(watcher, SharedEvent(event), isTwice: false))
            deliveries.append(.flush(watcher))
            threads?.applier.submit(.unwatch(path))
        case .cleared(let oldest):
            deliveries.append(watcher.isStarted ? .ended(watcher) : .cleared(watcher, oldest: oldest, index: index))
            threads?.applier.submit(.unwatch(path))
        }
    }
}
