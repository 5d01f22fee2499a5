/// What a look at files came to.
enum FileLook {
    case unchanged
    case taken
    /// What is there is of no use, and what was there before counts on.
    case refused(because: String)
}

/// What one file, or a pair of files, holds: as it was last read and found good, and whether there is something newer.
struct FilePart<Value: Sendable>: Sendable {
    private(set) var value: Value
    private let files: [String]
    /// Of the files when `value` was read. It may be newer than this, never older: at worst it is read once more.
    private var stamps: [SecretFile.Stamp?]
    /// Why the files as of these stamps are of no use, and whether that was told.
    private var problem: (reason: String, stamps: [SecretFile.Stamp?], isTold: Bool)?

    init(_ files: [String], _ read: () throws(TLSFailure) -> Value) throws(TLSFailure) {
        self.files = files
        stamps = files.map(SecretFile.stamp)
        value = try read()
    }

    /// Without a file it is always the same.
    init(always value: Value) { (self.value, files, stamps) = (value, [], []) }

    /// Reads the files if they have changed since `value` was read; so again and again while they are of no use, for dates come true.
    ///
    /// - Parameter isAsked: reads them in any case, and tells of a problem again. Otherwise it is told once, when the files have stayed as
    ///   they are from one look to the next: half of what is being written is no problem yet.
    mutating func look(isAsked: Bool, _ read: () throws(TLSFailure) -> Value) -> FileLook {
        let stamps = files.map(SecretFile.stamp)
        guard isAsked || stamps != self.stamps else { return .unchanged }
        do throws(TLSFailure) {
            value = try read()
            (self.stamps, problem) = (stamps, nil)
            return .taken
        } catch {
            let reason = error.description
            let before = problem.flatMap { $0.stamps == stamps && $0.reason == reason ? $0 : nil }
            let isToTell = isAsked || before?.isTold == false
            problem = (reason, stamps, isToTell || before?.isTold == true)
            return isToTell ? .refused(because: reason) : .unchanged
        }
    }
}
