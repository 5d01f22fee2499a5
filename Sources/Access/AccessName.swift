/// The name of a user or a role, or a pattern of keys: bytes, as keys are, ordered as etcd orders them.
package typealias AccessName = [UInt8]

/// What is built in (v2-keys.md §16).
package enum BuiltIn {
    /// The user without whom nothing is locked, and the role that allows everything.
    package static let root = AccessName("root".utf8)
    /// The role of requests that name no user.
    package static let guest = AccessName("guest".utf8)
}

extension Array where Element == AccessName {
    /// In etcd's order, each once.
    func sortedUnique() -> [AccessName] {
        var sorted: [AccessName] = []
        sorted.reserveCapacity(count)
        for name in self.sorted(by: { $0.lexicographicallyPrecedes($1) }) where sorted.last != name { sorted.append(name) }
        return sorted
    }
}

extension Array {
    /// Looks for the element of that name in a list that is ordered by it: where it is, and else where it would be put.
    func place(of name: AccessName, by key: (Element) -> AccessName) -> (found: Int?, next: Int) {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if key(self[middle]).lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
        }
        return low < count && key(self[low]) == name ? (low, low) : (nil, low)
    }
}
