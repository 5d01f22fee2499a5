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

    package func read(_ path: TreePath, recursive: Bool, quorum: Bool, answer: @escaping (ReadResult) -> Void) {
        loop.assertInEventLoop()
        guard !isStopping else { return answer(ReadResult(.unavailable(.stopped), index: 0)) }
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
                return answer(ReadResult(.found(.file(node)), index: keysIndex))
            }
        }
        readFromTree(path, recursive: recursive, answer: answer)
    }

    private func readFromTree(_ path: TreePath, recursive: Bool, answer: @escaping (ReadResult) -> Void) {
        let number = newNumber()
        waitingReads[number] = (path, answer)
        threads?.applier.submit(.read(number: number, path, recursive: recursive))
    }

    /// A read round of the leader says how far this member must have applied.
    private func readFromMajority(_ path: TreePath, recursive: Bool, answer: @escaping (ReadResult) -> Void) {
        guard !quorumReads.isFull else { return answer(ReadResult(.unavailable(.overloaded), index: 0)) }
        let number = newNumber()
        let now = WallClock.steady
        quorumReads.add(
            number, deadline: now + configuration.requestTimeoutNanoseconds,
            PendingRead(number: number, path: path, isRecursive: recursive, start: now, answer: answer))
        step(.readRequested(number))
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
            return read.answer(ReadResult(.found(.file(node)), index: keysIndex))
        }
        readFromTree(read.path, recursive: read.isRecursive, answer: read.answer)
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
        waitingWatches[token.number] = PendingWatch(
            sink: sink, path: path, recursive: recursive, isStream: isStream, since: since)
        threads.applier.submit(.watch(token, path, recursive: recursive, since: since))
        return token
    }

    package func cancel(_ token: WatchToken) {
        // One that the apply thread has not answered yet is forgotten when the answer finds nobody.
        if waitingWatches.removeValue(forKey: token.number) != nil { return }
        if let path = hub.unregister(token) { threads?.applier.submit(.unwatch(path)) }
    }

    func started(_ token: WatchToken, _ past: EntryApplier.Past, index: UInt64, path: TreePath) {
        guard let watch = waitingWatches.removeValue(forKey: token.number) else {
            threads?.applier.submit(.unwatch(path))
            return
        }
        switch past {
        case .nothing:
            hub.register(
                token, path: watch.path, recursive: watch.recursive, isStream: watch.isStream, since: watch.since,
                sink: watch.sink)
            if !watch.isStarted { watch.sink.started(index: index) }
        case .event(let event):
            if !watch.isStarted { watch.sink.started(index: index) }
            watch.sink.push(SharedEvent(event), twice: false)
            watch.sink.flushEvents()
            threads?.applier.submit(.unwatch(path))
        case .cleared(let oldest):
            if watch.isStarted { watch.sink.ended() } else { watch.sink.cleared(oldest: oldest, index: index) }
            threads?.applier.submit(.unwatch(path))
        }
    }
}
