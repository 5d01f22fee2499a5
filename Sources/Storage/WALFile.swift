import Glibc

/// A look at the WAL of `log.db` before SQLite opens it (format: sqlite.org/fileformat2.html#the_write_ahead_log).
///
/// SQLite takes a frame with a wrong checksum for the end of the WAL and says nothing. For a file that was being written when
/// the machine died that is right; for a bit that flipped it would drop acknowledged commits silently.
///
/// In `log.db` a commit is synced before the next one starts. So a frame that follows the end of a transaction, by its checksum that goes
/// on from there, proves that everything up to that end was durable: a broken frame before it is damage. Any other frame behind proves
/// nothing: what a transaction that failed has left there may have the same salts.
///
/// In the last transaction nothing can be proven. A loss of power may leave the new header of a frame before the page that lay there from
/// an earlier round, and two versions of a page may differ in one bit: a term that grew by one. Bit for bit that is what a flipped bit
/// looks like, and only one of the two errors can be avoided. To refuse would stop a member to which nothing has happened, in the one
/// moment when all members of a cluster have lost power together; to drop it loses a transaction only if a bit flipped just there,
/// and what it had applied the tree still knows (`Verification`). So it is dropped, with a line in the log. But if the file was
/// written since the machine came up, no power was lost, and a sum that is wrong by a single word is taken for the flipped bit that it is.
package enum WALFile {
    package enum Verdict: Equatable, Sendable {
        /// Nothing to complain of; the number of frames in committed transactions.
        case sound(frames: Int)
        /// An unfinished transaction at the end, which nobody was told of; SQLite drops it.
        case torn(frames: Int, droppedFrames: Int)
        case damaged(place: String, reason: String)

        package var isDamaged: Bool {
            if case .damaged = self { true } else { false }
        }
    }

    private static let headerBytes = 32
    private static let frameHeaderBytes = 24
    /// Root page of `hard_state`, the third table that `0001_log_initial` makes behind the one of the migrations.
    package static let hardStatePage: UInt32 = 4

    /// - Parameter afterPowerLoss: whether the machine may have lost power since the last write; nil: by the file's time.
    package static func inspect(_ path: String, afterPowerLoss: Bool? = nil) throws(StorageError) -> Verdict {
        if let files = FileSystem.simulated {
            return inspect(afterPowerLoss: afterPowerLoss ?? true) { offset, count in
                files.read(path, offset, count).flatMap { $0.count == count ? $0 : nil }
            }
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return .sound(frames: 0) }
            throw .refused("cannot read \(path): \(FileOperations.systemText(errno))")
        }
        defer { close(descriptor) }
        return inspect(afterPowerLoss: afterPowerLoss ?? !wasWrittenSinceBoot(descriptor)) { offset, count in
            read(descriptor, offset, count)
        }
    }

    /// `read` takes offset and count, and gives nil when the file ends before.
    private static func inspect(afterPowerLoss: Bool, _ read: (Int, Int) -> [UInt8]?) -> Verdict {
        guard let header = read(0, headerBytes) else { return .sound(frames: 0) }
        // A WAL that was never written, or was grown and emptied.
        if header.allSatisfy({ $0 == 0 }) { return .sound(frames: 0) }
        let magic = word(header, 0)
        guard magic == 0x377f_0682 || magic == 0x377f_0683 else {
            return .damaged(place: "header", reason: "it is not a WAL")
        }
        let isBigEndian = magic == 0x377f_0683
        let pageBytes = Int(word(header, 8))
        guard pageBytes >= 512, pageBytes <= 65536, pageBytes & (pageBytes - 1) == 0 else {
            return .damaged(place: "header", reason: "page size \(pageBytes)")
        }
        var checksum = Sum()
        checksum.add(header[0..<24], isBigEndian: isBigEndian)
        guard checksum == Sum(word(header, 24), word(header, 28)) else {
            return .damaged(place: "header", reason: "its checksum is wrong")
        }
        let salts = (word(header, 16), word(header, 20))

        let frameBytes = frameHeaderBytes + pageBytes
        var frame = 0
        var committedFrames = 0
        /// The first frame that does not go on from those before.
        var broken: Int?
        var framesOfGeneration = 0
        var previous = Link(stored: checksum, found: checksum)
        while let bytes = read(headerBytes + frame * frameBytes, frameBytes) {
            let isOfGeneration = word(bytes, 8) == salts.0 && word(bytes, 12) == salts.1
            if broken == nil || isOfGeneration {
                var link = Link(behind: previous, bytes, isBigEndian: isBigEndian)
                // In one sector it is all of one time.
                link.isTrue = link.isTrue || (headerBytes + frame * frameBytes) % 512 <= 512 - frameHeaderBytes
                if let broken, link.follows, previous.endsTransaction, previous.isTrue {
                    return .damaged(
                        place: "frame \(broken + 1)", reason: "its checksum is wrong, and transactions that were acknowledged lie behind it")
                }
                if broken == nil, link.follows, isOfGeneration {
                    if link.endsTransaction { committedFrames = frame + 1 }
                } else if broken == nil {
                    if !afterPowerLoss, link.follows {
                        return .damaged(place: "frame \(frame + 1)", reason: "its salts are wrong, its checksum is right")
                    }
                    // A process that was killed may have written a header and not the page. Where two versions of a page differ in one word
                    // most often, that is not worth a doubt: in the first frame, and in the page of the hard state after an election.
                    if !afterPowerLoss, isOfGeneration, frame > 0, word(bytes, 0) != hardStatePage,
                        link.found.differsByOneWord(from: link.stored, words: 2 + pageBytes / 4) {
                        return .damaged(
                            place: "frame \(frame + 1)", reason: "its checksum is wrong by a single word: that was no torn write")
                    }
                    // Either the rest of the file is from before the last reset, or a frame was hit.
                    broken = frame
                }
                previous = link
            } else {
                previous.endsTransaction = false
            }
            if isOfGeneration { framesOfGeneration = frame + 1 }
            // Far behind the end only frames of older generations follow; they need no reading.
            if let broken, !isOfGeneration, frame - max(broken, framesOfGeneration) > 4096 { break }
            frame += 1
        }
        let dropped = max(framesOfGeneration, broken == nil ? frame : 0) - committedFrames
        return dropped > 0 ? .torn(frames: committedFrames, droppedFrames: dropped) : .sound(frames: committedFrames)
    }

    /// A frame in the chain of checksums.
    private struct Link {
        /// What the frame says that the sums come to with it, and what they come to.
        var stored: Sum
        var found: Sum
        /// Its checksum goes on from the frame before: from what that one says, or from what it should say.
        var follows = true
        /// Its header is as it was written at one time.
        var isTrue = true
        var endsTransaction = false

        init(stored: Sum, found: Sum) { (self.stored, self.found) = (stored, found) }

        init(behind previous: Link, _ frame: [UInt8], isBigEndian: Bool) {
            func sum(from start: Sum) -> Sum {
                var sum = start
                sum.add(frame[0..<8], isBigEndian: isBigEndian)
                sum.add(frame[frameHeaderBytes...], isBigEndian: isBigEndian)
                return sum
            }
            stored = Sum(word(frame, 16), word(frame, 20))
            found = sum(from: previous.stored)
            if found != stored, previous.found != previous.stored {
                let other = sum(from: previous.found)
                if other == stored { found = other }
            }
            follows = found == stored
            isTrue = follows
            endsTransaction = word(frame, 4) != 0
        }
    }

    /// By the wall clock, which may have been set meanwhile: a time that is still to come says nothing.
    private static func wasWrittenSinceBoot(_ descriptor: Int32) -> Bool {
        var status = stat()
        var (now, sinceBoot) = (timespec(), timespec())
        guard fstat(descriptor, &status) == 0, clock_gettime(CLOCK_REALTIME, &now) == 0, clock_gettime(CLOCK_BOOTTIME, &sinceBoot) == 0
        else { return false }
        return status.st_mtim.tv_sec <= now.tv_sec && status.st_mtim.tv_sec > now.tv_sec - sinceBoot.tv_sec
    }

    /// SQLite's checksum: two sums over pairs of words, each seeded with the other.
    private struct Sum: Equatable {
        var first: UInt32
        var second: UInt32

        init(_ first: UInt32 = 0, _ second: UInt32 = 0) {
            self.first = first
            self.second = second
        }

        mutating func add(_ bytes: ArraySlice<UInt8>, isBigEndian: Bool) {
            bytes.withUnsafeBytes { buffer in
                var position = 0
                while position + 8 <= buffer.count {
                    var one = buffer.loadUnaligned(fromByteOffset: position, as: UInt32.self)
                    var two = buffer.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self)
                    one = isBigEndian ? UInt32(bigEndian: one) : UInt32(littleEndian: one)
                    two = isBigEndian ? UInt32(bigEndian: two) : UInt32(littleEndian: two)
                    first = first &+ one &+ second
                    second = second &+ two &+ first
                    position += 8
                }
            }
        }

        /// True when another value of a single word, among the last `words` or in the stored sum, would explain the difference.
        ///
        /// A word `n` words before the end enters the two sums with the Fibonacci numbers n and n - 1 as factors, modulo 2^32, so each
        /// place is one multiplication: of two neighbours one is odd and can be divided by.
        func differsByOneWord(from stored: Sum, words: Int) -> Bool {
            let difference = (first &- stored.first, second &- stored.second)
            if difference.0 == 0 || difference.1 == 0 { return true }
            var factors: (UInt32, UInt32) = (1, 1)
            for place in 0..<words {
                // The last word is in the second sum only; the one before it is in both.
                let (one, two) = place == 0 ? (0, 1) : factors
                let change = one & 1 == 1 ? difference.0 &* Sum.inverse(one) : difference.1 &* Sum.inverse(two)
                if change &* one == difference.0, change &* two == difference.1 { return true }
                if place > 0 { factors = (factors.1, factors.0 &+ factors.1) }
            }
            return false
        }

        /// Of an odd number modulo 2^32, by Newton's steps: each doubles the number of right bits.
        private static func inverse(_ odd: UInt32) -> UInt32 {
            var inverse = odd
            for _ in 0..<4 { inverse = inverse &* (2 &- odd &* inverse) }
            return inverse
        }
    }

    private static func word(_ bytes: [UInt8], _ position: Int) -> UInt32 {
        bytes.withUnsafeBytes { UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt32.self)) }
    }

    /// Nil when the file ends before `count` bytes.
    private static func read(_ descriptor: Int32, _ offset: Int, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = pread(descriptor, &bytes, count, off_t(offset))
        return got == count ? bytes : nil
    }
}
