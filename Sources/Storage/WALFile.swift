import Glibc

/// A look at the WAL of `log.db` before SQLite opens it (format: sqlite.org/fileformat2.html#the_write_ahead_log).
///
/// SQLite takes a frame with a wrong checksum for the end of the WAL and says nothing. For a file that was being written when
/// the machine died that is right; for a bit that flipped it would drop acknowledged commits silently.
///
///     header, A A. B B B. C x C. D.          a letter is a frame of a transaction, a dot its end, x a frame that is broken
///
/// The checksum of each frame goes on from the one before. In `log.db` a commit is synced before the next one starts: D goes on from the end of
/// C, so it was begun when all of C was on the disk, and x is damage. Without D it may be a write that was never finished, and that nobody
/// was told of. Any other frame behind proves nothing: what a transaction that failed has left there may have the same salts.
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
        let header: Header
        switch Header.parse(read(0, headerBytes)) {
        case .success(let parsed?): header = parsed
        // A WAL that was never written, or was grown and emptied.
        case .success(nil): return .sound(frames: 0)
        case .failure(let damage): return .damaged(place: "header", reason: damage.reason)
        }
        func frame(_ number: Int) -> Frame? {
            let bytes = frameHeaderBytes + header.pageBytes
            return read(headerBytes + number * bytes, bytes).map { Frame(number, $0, header) }
        }

        // 1. What SQLite will show: each frame goes on from the one before, up to the last end of a transaction.
        var last = Link(header)
        var number = 0
        var committed = 0
        var broken: (frame: Frame, link: Link)?
        while broken == nil, let next = frame(number) {
            let link = Link(behind: last, next)
            if link.follows, next.isOfGeneration {
                if next.endsTransaction { committed = number + 1 }
                last = link
                number += 1
            } else {
                broken = (next, link)
            }
        }
        guard let broken else { return number > committed ? .torn(frames: committed, droppedFrames: number - committed) : .sound(frames: committed) }

        // 2. The first frame that does not: what is left of an earlier round, a torn write, or a flipped bit by its looks.
        if !afterPowerLoss, let reason = whyNotTorn(broken.frame, broken.link) {
            return .damaged(place: "frame \(number + 1)", reason: reason)
        }

        // 3. What lies behind it: proof that it was durable, or the rest of a write that was never finished.
        last = broken.link
        var newest = broken.frame.isOfGeneration ? number : number - 1
        number += 1
        while let next = frame(number) {
            if next.isOfGeneration {
                let link = Link(behind: last, next)
                if link.follows, last.endsTransaction, last.isTrue {
                    return .damaged(
                        place: "frame \(broken.frame.number + 1)",
                        reason: "its checksum is wrong, and transactions that were acknowledged lie behind it")
                }
                last = link
                newest = number
            } else {
                last.endsTransaction = false
                // Far behind the end only frames of older generations follow; they need no reading.
                if number - max(broken.frame.number, newest + 1) > 4096 { break }
            }
            number += 1
        }
        let dropped = newest + 1 - committed
        return dropped > 0 ? .torn(frames: committed, droppedFrames: dropped) : .sound(frames: committed)
    }

    /// Why a frame that does not go on from the one before is no torn write, when no power was lost; nil if it may be one.
    private static func whyNotTorn(_ frame: Frame, _ link: Link) -> String? {
        if link.follows { return "its salts are wrong, its checksum is right" }
        // A process that was killed may have written a header and not the page. Where two versions of a page differ in one word most often,
        // that is not worth a doubt: in the first frame, and in the page of the hard state after an election.
        guard frame.isOfGeneration, frame.number > 0, frame.page != hardStatePage else { return nil }
        guard link.found.differsByOneWord(from: link.stored, words: 2 + frame.pageBytes / 4) else { return nil }
        return "its checksum is wrong by a single word: that was no torn write"
    }

    private struct Header {
        let pageBytes: Int
        let isBigEndian: Bool
        let salts: (UInt32, UInt32)
        let sum: Sum

        struct Damage: Error { let reason: String }

        /// Nil: there is none yet.
        static func parse(_ bytes: [UInt8]?) -> Result<Header?, Damage> {
            guard let bytes, !bytes.allSatisfy({ $0 == 0 }) else { return .success(nil) }
            let magic = word(bytes, 0)
            guard magic == 0x377f_0682 || magic == 0x377f_0683 else { return .failure(Damage(reason: "it is not a WAL")) }
            let isBigEndian = magic == 0x377f_0683
            let pageBytes = Int(word(bytes, 8))
            guard pageBytes >= 512, pageBytes <= 65536, pageBytes & (pageBytes - 1) == 0 else {
                return .failure(Damage(reason: "page size \(pageBytes)"))
            }
            var sum = Sum()
            sum.add(bytes[0..<24], isBigEndian: isBigEndian)
            guard sum == Sum(word(bytes, 24), word(bytes, 28)) else { return .failure(Damage(reason: "its checksum is wrong")) }
            return .success(
                Header(pageBytes: pageBytes, isBigEndian: isBigEndian, salts: (word(bytes, 16), word(bytes, 20)), sum: sum))
        }
    }

    private struct Frame {
        let number: Int
        let bytes: [UInt8]
        let isBigEndian: Bool
        /// Of this round through the file, by its salts.
        let isOfGeneration: Bool

        init(_ number: Int, _ bytes: [UInt8], _ header: Header) {
            self.number = number
            self.bytes = bytes
            isBigEndian = header.isBigEndian
            isOfGeneration = word(bytes, 8) == header.salts.0 && word(bytes, 12) == header.salts.1
        }

        var page: UInt32 { word(bytes, 0) }
        var endsTransaction: Bool { word(bytes, 4) != 0 }
        var stored: Sum { Sum(word(bytes, 16), word(bytes, 20)) }
        var pageBytes: Int { bytes.count - frameHeaderBytes }
        /// In one sector it is all of one time.
        var hasHeaderInOneSector: Bool { (headerBytes + number * bytes.count) % 512 <= 512 - frameHeaderBytes }

        func sum(behind start: Sum) -> Sum {
            var sum = start
            sum.add(bytes[0..<8], isBigEndian: isBigEndian)
            sum.add(bytes[frameHeaderBytes...], isBigEndian: isBigEndian)
            return sum
        }
    }

    /// A frame's place in the chain of checksums.
    private struct Link {
        /// What the frame says that the sums come to with it, and what they come to.
        let stored: Sum
        let found: Sum
        /// Its header is as it was written at one time.
        let isTrue: Bool
        var endsTransaction: Bool

        /// Its checksum goes on from the frame before: from what that one says, or from what it should say.
        var follows: Bool { found == stored }

        /// Where the chain begins.
        init(_ header: Header) { (stored, found, isTrue, endsTransaction) = (header.sum, header.sum, true, false) }

        init(behind previous: Link, _ frame: Frame) {
            stored = frame.stored
            let found = frame.sum(behind: previous.stored)
            if found != stored, !previous.follows, frame.sum(behind: previous.found) == stored {
                self.found = stored
            } else {
                self.found = found
            }
            isTrue = self.found == stored || frame.hasHeaderInOneSector
            endsTransaction = frame.endsTransaction
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
