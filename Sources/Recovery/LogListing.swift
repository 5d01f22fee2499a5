import Access
import Keyspace
import Raft
import Storage
import Wire

/// The entries of a log, one by one.
package struct LogListing: Sendable {
    /// First and last index to show; nil: from the beginning, to the end.
    package var from: UInt64?
    package var to: UInt64?
    /// Only keys entries whose path begins with these bytes.
    package var pathPrefix: [UInt8]?
    /// Only what this user has asked for.
    package var user: [UInt8]?
    /// Only entries proposed at this time or later, nanoseconds since 1970 UTC.
    package var since: Int64?

    package init(from: UInt64? = nil, to: UInt64? = nil, pathPrefix: [UInt8]? = nil, since: Int64? = nil, user: [UInt8]? = nil) {
        self.from = from
        self.to = to
        self.pathPrefix = pathPrefix
        self.since = since
        self.user = user
    }

    /// A line of the listing.
    package struct Line: Sendable {
        package let entry: LogEntry
        /// `empty`, `keys`, `membership`, `access`, or `kind 7`.
        package let kind: String
        /// `set`, `addMember`, …; empty for an empty entry, `operation 9` for an unknown one.
        package let operation: String
        /// What a keys entry asks for; nil for others.
        package let command: Command?
    }

    /// Shows the wanted entries in order until `body` returns false. The chain is checked on the way.
    ///
    /// - Returns: how many were shown.
    @discardableResult
    package func visit(_ path: String, _ body: (Line) -> Bool) throws(RecoveryError) -> Int {
        let directory = try Looking.directory(path)
        return try recovering { () throws(StorageError) in
            let log = try DirectoryReader.logOnly(directory)
            let cut = log.cut.position.index
            // The link before the first wanted entry; an entry that is gone already means the first that is kept.
            let before = Index(max(cut.value, (from ?? 1) == 0 ? 0 : (from ?? 1) - 1))
            let tail = try log.verifiedTail(rows: 1)
            guard before < tail.position.index else { return 0 }
            var shown = 0
            try log.visit(from: log.link(at: before)) { (entry: LogEntry, _: UInt32) throws(StorageError) in
                if let to, entry.index.value > to { return false }
                guard wants(entry.payload) else { return true }
                shown += 1
                return body(Line(entry))
            }
            return shown
        }
    }

    private func wants(_ payload: EntryPayload) -> Bool {
        if let pathPrefix, payload.kind != EntryKind.keys.rawValue || !payload.path.starts(with: pathPrefix) { return false }
        if let user, Requester(payload.client).user != user { return false }
        if let since, payload.time < since { return false }
        return true
    }
}

extension LogListing.Line {
    init(_ entry: LogEntry) {
        self.entry = entry
        let payload = entry.payload
        command = CommandCodec.decode(payload)
        switch EntryKind(rawValue: payload.kind) {
        case .empty: (kind, operation) = ("empty", "")
        case .keys:
            kind = "keys"
            operation = Command.Operation(rawValue: payload.operation).map { "\($0)" } ?? "operation \(payload.operation)"
        case .membership:
            kind = "membership"
            switch MembershipCodec.decode(payload) {
            case .add: operation = "addMember"
            case .remove: operation = "removeMember"
            case .update: operation = "updateMember"
            case .publish: operation = "publish"
            case .clusterVersion: operation = "clusterVersion"
            case nil: operation = "operation \(payload.operation)"
            }
        case .access:
            kind = "access"
            operation = AccessCodec.name(ofOperation: payload.operation) ?? "operation \(payload.operation)"
        case nil: (kind, operation) = ("kind \(payload.kind)", "operation \(payload.operation)")
        }
    }
}
