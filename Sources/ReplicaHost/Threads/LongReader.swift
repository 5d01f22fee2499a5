import Glibc
import Keyspace
import NIOCore
import Storage
import Synchronization

/// The reader thread: it does, one at a time and beside the apply thread, what would hold that up: listings that are too large for it, and
/// looks into a long past.
///
/// A listing is read in one read transaction and written to a file without a name, which the door sends: no client keeps the transaction
/// open, and one row is in memory at a time. The apply thread has had the file of the tree brought up to date before.
///
/// `@unchecked Sendable`: `register` and `readWithoutFile` are set before the thread runs and then only read; all else is constant or locks itself.
final class LongReader: @unchecked Sendable {
    struct Listing: Sendable {
        var number: UInt64
        var path: TreePath
        var isRecursive: Bool
        /// Nil: nobody wants a listing that is too large.
        var encoder: (any ListingEncoding)?
        /// There is no room for a file with it: it is read at one go.
        var isWithoutFile = false
        /// Said when nobody waits for it any more.
        var abandonment: Abandonment
        /// Steady nanoseconds; whoever is not begun with by then is not begun with at all.
        var deadline: Int64
    }

    struct Past: Sendable {
        var token: WatchToken
        var path: TreePath
        var isRecursive: Bool
        var since: UInt64
        /// Said when nobody waits for it any more.
        var abandonment: Abandonment
    }

    private enum Item: Sendable {
        case list(Listing)
        case look(Past)
        case stop
    }

    /// Gives a watch back to the apply thread, that has nothing to find before `since` any more.
    var register: @Sendable (Past) -> Void = { _ in }
    /// Gives a listing back to the apply thread: the disk has no room for it.
    var readWithoutFile: @Sendable (Listing) -> Void = { _ in }

    private let inbox = Inbox<Item>()
    private let treePath: String
    private let transfer: String
    private let fileLock: TreeFileLock
    private let port: LoopPort
    private let notice: @Sendable (ReplicaNotice) -> Void
    private let fail: @Sendable (StorageError) -> Never
    private let waiting = Atomic<Int>(0)
    private let files = Atomic<Int>(0)
    private let mustEnd = Atomic<Bool>(false)

    /// That wait or are worked on; more are refused.
    static let waitingMax = 64
    /// Files that clients are taking: each may be as large as the tree.
    static let filesMax = 8
    private static let pieceBytes = 64 << 10
    /// So many events, and then another transaction: the WAL of the tree cannot be reset during one.
    private static let eventsInARow = 50_000

    init(
        treePath: String, transfer: String, fileLock: TreeFileLock, port: LoopPort, notice: @escaping @Sendable (ReplicaNotice) -> Void,
        fail: @escaping @Sendable (StorageError) -> Never
    ) {
        self.treePath = treePath
        self.transfer = transfer
        self.fileLock = fileLock
        self.port = port
        self.notice = notice
        self.fail = fail
    }

    /// False when too much waits already.
    func submit(_ listing: Listing) -> Bool { submit(.list(listing)) }
    func submit(_ past: Past) -> Bool { submit(.look(past)) }

    private func submit(_ item: Item) -> Bool {
        guard waiting.add(1, ordering: .relaxed).newValue <= Self.waitingMax else {
            waiting.subtract(1, ordering: .relaxed)
            return false
        }
        inbox.submit(item)
        return true
    }

    func stop() {
        mustEnd.store(true, ordering: .relaxed)
        inbox.submit(.stop)
    }

    func run() {
        var isStopping = false
        while !isStopping {
            for item in inbox.takeAll() {
                switch item {
                case .list(var listing):
                    let result = answer(listing)
                    if case .unavailable(.diskFull) = result.outcome {
                        listing.isWithoutFile = true
                        readWithoutFile(listing)
                    } else {
                        port.post([.read(number: listing.number, result)])
                    }
                case .look(let past): answer(past)
                case .stop:
                    isStopping = true
                    continue
                }
                waiting.subtract(1, ordering: .relaxed)
            }
        }
    }

    private func answer(_ listing: Listing) -> ReadResult {
        do throws(StorageError) {
            return try list(listing)
        } catch {
            if case .diskFull = error { return ReadResult(.unavailable(.diskFull), index: 0) }
            report(error)
            return ReadResult(.unavailable(.overloaded), index: 0)
        }
    }

    private func answer(_ past: Past) {
        do throws(StorageError) {
            try look(past)
        } catch {
            report(error)
            port.post([.watchRefused(past.token, past.path)])
        }
    }

    /// Damage ends the member, wherever it is found. Anything else, such as no descriptor for the file, is the misfortune of one client.
    private func report(_ error: StorageError) {
        if case .damaged = error { fail(error) }
        notice(.longReadFailed(error.description))
    }

    /// Opened anew for each piece of work: another tree may have taken the place of the file. A file that is open stays readable then.
    private func open() throws(StorageError) -> TreeReader {
        try fileLock.hold { () throws(StorageError) in
            let reader = try TreeReader(path: treePath, as: .reader)
            try reader.hold()
            return reader
        }
    }

    // MARK: Listings

    private func list(_ listing: Listing) throws(StorageError) -> ReadResult {
        func isOver() -> Bool { listing.abandonment.isAbandoned || mustEnd.load(ordering: .relaxed) }
        func unavailable(_ reason: Unavailable) -> ReadResult { ReadResult(.unavailable(reason), index: 0) }
        while files.load(ordering: .relaxed) >= Self.filesMax, !isOver(), WallClock.steady < listing.deadline { usleep(10_000) }
        if isOver() { return unavailable(.stopped) }
        guard WallClock.steady < listing.deadline else { return unavailable(.timedOut) }
        let reader = try open()
        defer { reader.close() }
        let state = try reader.state()
        let tree = KeyTree(table: LayeredTable(file: reader, hash: state.hash), index: state.keysIndex)
        let directory: TreeNode?
        switch try tree.find(listing.path) {
        case .failure(let refusal): return ReadResult(.refused(refusal), index: state.keysIndex)
        case .success(let node?) where !node.isDirectory: return ReadResult(.found(.file(node)), index: state.keysIndex)
        case .success(let node): directory = node
        }
        guard var encoder = listing.encoder else { return ReadResult(.refused(.notAFile(listing.path)), index: state.keysIndex) }
        guard let output = BodyFile(in: transfer) else {
            return unavailable([ENOSPC, EDQUOT].contains(errno) ? .diskFull : .overloaded)
        }
        var body = ByteBufferAllocator().buffer(capacity: 2 * Self.pieceBytes)
        encoder.begin(directory, at: listing.path, into: &body)
        let walk = try reader.walk(listing.path, recursive: listing.isRecursive)
        while let line = try walk.next() {
            encoder.add(line, into: &body)
            guard body.readableBytes >= Self.pieceBytes else { continue }
            if isOver() { return unavailable(.stopped) }
            guard output.append(&body) else { return unavailable(.diskFull) }
        }
        encoder.end(into: &body)
        guard output.append(&body) else { return unavailable(.diskFull) }
        files.add(1, ordering: .relaxed)
        let file = ListingFile(descriptor: output.take(), size: output.size) { [self] in files.subtract(1, ordering: .relaxed) }
        return ReadResult(.listed(file), index: state.keysIndex)
    }

    // MARK: The past

    private func look(_ past: Past) throws(StorageError) {
        var past = past
        let reader = try open()
        defer { reader.close() }
        while true {
            if past.abandonment.isAbandoned || mustEnd.load(ordering: .relaxed) { break }
            try reader.hold()
            let state = try reader.state()
            let oldest = try reader.oldestEvent() ?? state.keysIndex + 1
            // The history went on meanwhile, and has lost what was not looked at yet.
            guard past.since >= oldest else { return tell(past, .cleared(oldest: oldest), state.keysIndex) }
            var visited = 0
            var found: Event?
            try reader.events(from: past.since) { event in
                visited += 1
                past.since = event.index + 1
                if event.matchesHistory(path: past.path, recursive: past.isRecursive) { found = event }
                return found == nil && visited < Self.eventsInARow
            }
            try reader.release()
            if let found { return tell(past, .event(found), state.keysIndex) }
            if visited < Self.eventsInARow { break }
        }
        register(past)
    }

    private func tell(_ past: Past, _ what: EntryApplier.Past, _ index: UInt64) {
        port.post([.watch(past.token, past.path, what, index: index)])
    }
}

/// A body on its way into a file without a name.
private final class BodyFile {
    private var descriptor: Int32
    private(set) var size: UInt64 = 0

    init?(in directory: String) {
        // What a crash leaves here is removed at the next start.
        var name = Array("\(directory)/listing-XXXXXX".utf8CString)
        descriptor = mkstemp(&name)
        if descriptor < 0 { return nil }
        unlink(name)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Writes all of it, and empties it; false when the disk does not take it.
    func append(_ body: inout ByteBuffer) -> Bool {
        while body.readableBytes > 0 {
            let count = body.withUnsafeReadableBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            body.moveReaderIndex(forwardBy: count)
            size += UInt64(count)
        }
        body.clear()
        return true
    }

    /// It is the caller's to close now.
    func take() -> Int32 {
        defer { descriptor = -1 }
        return descriptor
    }
}
