/// What a connection holds in memory for its client, and whether that moves.
///
/// A backlog that grows is no progress, nor is one that shrinks by what is thrown away: only bytes that the socket took are.
struct Holding {
    /// Of the bytes given to the channel, those that the socket has not taken, as of the last look.
    private(set) var unsent = 0
    /// What this connection holds and no other, as of the last look: a buffer is held whole until the last of its bytes is taken.
    private(set) var bytes = 0
    /// Large bodies that may not be taken yet; others may hold them, too.
    var holdsBodies: Bool { !bodies.isEmpty }
    /// The second in which bytes were last taken, or began to wait.
    private(set) var lastTaken = 0
    /// At the pace of the last second it takes so many seconds until nothing waits; nil when that is not known.
    private(set) var secondsLeft: Int?

    /// Bytes given to the channel or the socket, ever, and those that came.
    private var written = 0
    private var received = 0
    /// `written` when last all of it was known to be taken, and the longest write since then.
    private var writtenWhenEmpty = 0
    private var longest = 0
    /// In the order in which they were given; `end` is `written` behind the body. A stream may have something unsent for as long as it
    /// lasts, and what was taken meanwhile must not count.
    private var bodies: [(key: HeldBodies.Key, end: Int, bytes: Int)] = []
    private var bytesOfBodies = 0
    /// Unsent, and received but not handed on.
    private var waiting = 0
    private var takenAtTick = 0
    private var movedAtTick = 0
    private var wasWaiting = false

    /// False: everything is known to be taken.
    var mayBeUnsent: Bool { written != writtenWhenEmpty }

    mutating func noteWritten(_ count: Int) {
        written += count
        longest = max(longest, count)
    }

    mutating func noteWritten(_ count: Int, as body: HeldBodies.Key) {
        written += count
        bytesOfBodies += count
        bodies.append((body, written, count))
    }

    /// Past the channel, with nothing waiting in it.
    mutating func noteSent(_ count: Int) {
        written += count
        writtenWhenEmpty += count
    }

    mutating func noteReceived(_ count: Int) { received += count }

    /// - Parameters:
    ///   - count: bytes that the channel holds.
    ///   - input: bytes received and not yet handed on.
    /// - Returns: the bodies that are held no more.
    mutating func look(unsent count: Int, input: Int, second: Int) -> [HeldBodies.Key] {
        if unsent == 0 { lastTaken = second }
        unsent = count
        if count == 0 { (writtenWhenEmpty, longest) = (written, 0) }
        let taken = bodies.prefix { $0.end <= written - count }
        bodies.removeFirst(taken.count)
        bytesOfBodies -= taken.reduce(0) { $0 + $1.bytes }
        look(input: input)
        return taken.map(\.key)
    }

    /// As the other, with what the channel holds as it was.
    mutating func look(input: Int) {
        waiting = unsent + input
        bytes = input + (unsent == 0 ? 0 : max(0, min(unsent + longest, written - writtenWhenEmpty) - bytesOfBodies))
    }

    /// Once a second, after a look.
    mutating func tick(_ second: Int) {
        let taken = written - unsent
        // Encryption makes what is unsent a little longer than it was when it was written, so this may also go down.
        if taken > takenAtTick { lastTaken = second }
        let moved = taken + received
        secondsLeft = wasWaiting && waiting > 0 ? waiting / max(1, moved - movedAtTick) : nil
        (takenAtTick, movedAtTick, wasWaiting) = (max(taken, takenAtTick), moved, waiting > 0)
    }
}

/// Large bodies on their way to clients, each counted once however many get the same buffer.
struct HeldBodies {
    /// Where the bytes lie. Nobody else's can lie there while one connection holds them.
    struct Key: Hashable {
        fileprivate let address: UInt
    }

    private(set) var bytes = 0
    private var entries: [Key: (holders: Int, bytes: Int)] = [:]

    mutating func hold(at address: UnsafeRawPointer?, count: Int) -> Key {
        let key = Key(address: UInt(bitPattern: address))
        if entries[key] == nil { bytes += count }
        entries[key, default: (0, count)].holders += 1
        return key
    }

    mutating func release(_ key: Key) {
        guard let entry = entries[key] else { return }
        if entry.holders > 1 {
            entries[key]?.holders -= 1
        } else {
            entries[key] = nil
            bytes -= entry.bytes
        }
    }
}
