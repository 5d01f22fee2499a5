import Raft

/// How many bytes of payload lie in the log, and behind which entry; to a part of what is asked for, so that little must be remembered.
struct LogSizes: Sendable {
    /// Ascending. Up to and including `index` the log came to `total` bytes, or a little less.
    private var marks: [(index: Index, total: Int)] = []
    /// Bytes that came since the log was opened, and those it held then.
    private var total: Int
    /// Of `total`, what is cut off.
    private var gone = 0
    private let bytesPerMark: Int

    /// `bytes`: what a log that ends at `last` holds.
    init(bytes: Int, last: Index, bytesPerMark: Int) {
        total = bytes
        self.bytesPerMark = max(1, bytesPerMark)
        marks = [(last, bytes)]
    }

    var bytes: Int { total - gone }
    /// Written since the beginning, but for tails that were replaced.
    var written: Int { total }

    /// What was written up to `index`.
    mutating func grew(bytes: Int, upTo index: Index) {
        if let newest = marks.last, newest.index > index {
            // A tail was replaced.
            marks.removeAll { $0.index > index }
            total = marks.last?.total ?? gone
        }
        total += bytes
        if let newest = marks.last, newest.index == index || total - newest.total < bytesPerMark { return }
        marks.append((index, total))
    }

    /// What lies behind the entry that is named comes to `bytes` or more. Nil: so much is not known to be there.
    func newest(with bytes: Int) -> Index? { marks.last { total - $0.total >= bytes }?.index }

    mutating func cut(at index: Index) {
        gone = marks.first { $0.index >= index }?.total ?? total
        marks.removeAll { $0.index < index }
    }

    /// The log begins anew.
    mutating func reset(at index: Index) {
        (total, gone, marks) = (0, 0, [(index, 0)])
    }
}
