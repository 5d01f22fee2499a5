/// The patterns of keys that a role may read and write.
///
/// A pattern that ends in `*` stands for all keys that begin with what is before it, any other for that one key. A list that was
/// never given is nil, one that was emptied is empty: clients are shown the difference (v2-keys.md §16, Roles).
package struct Permissions: Equatable, Sendable {
    package var read: [AccessName]?
    package var write: [AccessName]?

    package init(read: [AccessName]? = nil, write: [AccessName]? = nil) {
        self.read = read
        self.write = write
    }

    package static let everything = Permissions(read: [AccessName("/*".utf8)], write: [AccessName("/*".utf8)])

    package var isEmpty: Bool { (read ?? []).isEmpty && (write ?? []).isEmpty }

    /// - Parameters:
    ///   - key: the key as the client sent it, a slash at its end included.
    ///   - recursive: everything below it is touched as well, so only prefixes count.
    func allows(_ act: AccessAct, _ key: AccessName, recursive: Bool) -> Bool {
        let patterns = act == .read ? read : write
        return (patterns ?? []).contains { pattern in
            guard pattern.last == UInt8(ascii: "*") else { return !recursive && pattern == key }
            return key.starts(with: pattern.dropLast())
        }
    }

    /// - Throws: when a pattern is there already, which is how etcd tells that two people grant at once.
    func granting(_ more: Permissions) throws(AccessRefusal) -> Permissions {
        Permissions(
            read: try Permissions.adding(more.read, to: read, isRead: true),
            write: try Permissions.adding(more.write, to: write, isRead: false))
    }

    /// What is not there is not missed.
    func revoking(_ less: Permissions) -> Permissions {
        func rest(_ patterns: [AccessName]?, _ gone: [AccessName]?) -> [AccessName] {
            (patterns ?? []).filter { !(gone ?? []).contains($0) }.sortedUnique()
        }
        return Permissions(read: rest(read, less.read), write: rest(write, less.write))
    }

    private static func adding(
        _ more: [AccessName]?, to patterns: [AccessName]?, isRead: Bool
    ) throws(AccessRefusal) -> [AccessName] {
        var sum = patterns ?? []
        for pattern in more ?? [] {
            if sum.contains(pattern) { throw .permissionExists(pattern, isRead: isRead) }
            sum.append(pattern)
        }
        return sum.sortedUnique()
    }
}

/// What is done with a key.
package enum AccessAct: Sendable {
    case read
    case write
}
