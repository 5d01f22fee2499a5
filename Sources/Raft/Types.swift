/// A period of leadership; grows with every election (thesis §3.3). 0 before the first.
package struct Term: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    package var value: UInt64

    package init(_ value: UInt64) { self.value = value }
    package init(integerLiteral value: UInt64) { self.value = value }

    package static func < (left: Term, right: Term) -> Bool { left.value < right.value }
    package var next: Term { Term(value + 1) }
    package var description: String { String(value) }
}

/// A position in the log; the first entry has 1, and 0 means "before the first". Not the v2 index of the key tree.
package struct Index: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    package var value: UInt64

    package init(_ value: UInt64) { self.value = value }
    package init(integerLiteral value: UInt64) { self.value = value }

    package static func < (left: Index, right: Index) -> Bool { left.value < right.value }
    package var next: Index { Index(value + 1) }
    package var previous: Index { Index(value == 0 ? 0 : value - 1) }
    package var description: String { String(value) }
}

/// A participant of the cluster; 64 bits that never change for a data directory. 0 is nobody.
package struct MemberID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var value: UInt64

    package init(_ value: UInt64) { self.value = value }

    package static let none = MemberID(0)
    package static func < (left: MemberID, right: MemberID) -> Bool { left.value < right.value }

    /// Lower-case hexadecimal without leading zeros, as etcd prints ids.
    package var description: String { String(value, radix: 16) }

    /// Nil when `hex` is not 1 to 16 hexadecimal digits.
    package init?(hex: String) {
        guard !hex.isEmpty, hex.utf8.count <= 16, let value = UInt64(hex, radix: 16) else { return nil }
        self.value = value
    }
}

/// Where an entry is and in which term it was proposed; two logs that agree on it agree on all before (thesis §3.5).
package struct LogPosition: Hashable, Sendable {
    package var index: Index
    package var term: Term

    package init(index: Index, term: Term) {
        self.index = index
        self.term = term
    }

    package static let origin = LogPosition(index: 0, term: 0)
}

/// What a member must never forget (thesis figure 3.1). The commit index is a lower bound, kept for inspection.
package struct HardState: Hashable, Sendable {
    package var term: Term
    /// Whom this member voted for in `term`; nobody is `.none`.
    package var vote: MemberID
    package var commit: Index

    package init(term: Term = 0, vote: MemberID = .none, commit: Index = 0) {
        self.term = term
        self.vote = vote
        self.commit = commit
    }
}
