import Storage

/// What is done about a reader that keeps the WAL of one file from starting anew: first it is named, then left behind with the old file.
/// Confined to the thread that writes the file.
struct ReaderWatch {
    private let file: String
    private let notice: @Sendable (ReplicaNotice) -> Void
    private var warnedAt = 0
    private var nextCopy: Int64 = 0
    private var isCopying = false

    /// From so much on it is worth a line.
    static let warningBytes = Failpoint.bound("ETCLITE_READER_WARNING_BYTES", otherwise: 64 << 20)
    /// At so much the server goes on with a copy of the file.
    static let replacementBytes = Failpoint.bound("ETCLITE_READER_REPLACEMENT_BYTES", otherwise: 512 << 20)
    /// Until the next try, when a copy could not be made.
    private static let patienceNanoseconds: Int64 = 30_000_000_000

    init(file: String, notice: @escaping @Sendable (ReplicaNotice) -> Void) {
        self.file = file
        self.notice = notice
    }

    /// True when it is time to make a copy: it has been ordered then, until `copied` or `failed`.
    mutating func mustCopy(bytesHeldUp bytes: Int) -> Bool {
        guard bytes >= Self.warningBytes else {
            warnedAt = 0
            return false
        }
        if bytes >= 2 * warnedAt {
            warnedAt = bytes
            warn(bytes)
        }
        guard bytes >= Self.replacementBytes, !isCopying, WallClock.steady >= nextCopy else { return false }
        isCopying = true
        return true
    }

    /// True when a copy may be made for another reason: it has been ordered then, too.
    mutating func mayCopy() -> Bool {
        guard !isCopying, WallClock.steady >= nextCopy else { return false }
        isCopying = true
        return true
    }

    /// - Parameter isOfNote: false when there was no reader in the way.
    mutating func copied(isOfNote: Bool = true) {
        (isCopying, warnedAt) = (false, 0)
        if isOfNote { notice(.fileReplaced(file: file)) }
    }

    /// Nil: it was not needed any more.
    mutating func failed(_ error: StorageError?) {
        isCopying = false
        nextCopy = WallClock.steady + Self.patienceNanoseconds
        if let error { notice(.replacementFailed(file: file, "\(error)")) }
    }

    /// On a thread of its own: the list of locks may be long.
    private func warn(_ bytes: Int) {
        let (notice, file) = (notice, file)
        WorkerThread(name: "readers") {
            let holders = WALReaders.find(of: file).map(\.description)
            notice(.readerInTheWay(file: file, bytes: bytes, holders: holders, bytesMax: Self.replacementBytes))
        }.detach()
    }
}
