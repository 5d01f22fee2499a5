import Raft

/// What an entry of the log is about. The raw values are stored (`log.kind`); never renumber.
package enum EntryKind: UInt8, Sendable {
    /// Opens a leader's term (thesis §6.4).
    case empty = 0
    /// A change of the v2 key tree: `CommandCodec`.
    case keys = 1
    /// A change of the cluster: `MembershipCodec`.
    case membership = 2
    /// A change of users, roles, or of whether they count: `AccessCodec`.
    case access = 3
}

/// What an entry carries: a tag, a version, and fields that a shell can read without this program.
///
/// An unknown `kind` or `version` is kept and passed on as it is, and stops a member that would have to apply it.
package struct EntryPayload: Equatable, Sendable {
    package var kind: UInt8
    package var version: UInt8
    package var operation: UInt8
    package var path: [UInt8]
    package var value: [UInt8]
    /// What has no field of its own, in the form of the kind's codec.
    package var options: [UInt8]
    /// The proposer's wall clock, nanoseconds since 1970 UTC. The only time that applying may look at.
    package var time: Int64
    /// The address of the client that asked, `127.0.0.1:4711`; empty for the cluster's own entries.
    package var client: [UInt8]
    /// The proposer's number for it, unlike any other; 0 when nobody waits.
    package var request: UInt64

    package init(
        kind: EntryKind, version: UInt8 = 1, operation: UInt8 = 0, path: [UInt8] = [], value: [UInt8] = [],
        options: [UInt8] = [], time: Int64 = 0, client: [UInt8] = [], request: UInt64 = 0
    ) {
        self.init(
            rawKind: kind.rawValue, version: version, operation: operation, path: path, value: value, options: options,
            time: time, client: client, request: request)
    }

    /// For what was read from a disk or a peer, where the kind may be unknown.
    package init(
        rawKind: UInt8, version: UInt8, operation: UInt8, path: [UInt8], value: [UInt8], options: [UInt8], time: Int64,
        client: [UInt8], request: UInt64
    ) {
        self.kind = rawKind
        self.version = version
        self.operation = operation
        self.path = path
        self.value = value
        self.options = options
        self.time = time
        self.client = client
        self.request = request
    }

    package static let empty = EntryPayload(kind: .empty)

    /// Roughly what it takes in memory and in the log, in bytes.
    package var size: Int { 64 + path.count + value.count + options.count + client.count }
}

/// One entry of the log.
package struct LogEntry: Equatable, Sendable {
    package var index: Index
    package var term: Term
    package var payload: EntryPayload

    package init(index: Index, term: Term, payload: EntryPayload) {
        self.index = index
        self.term = term
        self.payload = payload
    }

    package var position: LogPosition { LogPosition(index: index, term: term) }

    /// The checksum of this entry behind one with the checksum `previous`: CRC32C over all fields, so that a hole, a
    /// swap or a flipped bit anywhere is found at the first row it concerns.
    package func checksum(after previous: UInt32) -> UInt32 {
        var crc = CRC32C(seed: previous)
        crc.update(index.value)
        crc.update(term.value)
        crc.update(
            UInt64(payload.kind) | UInt64(payload.version) << 8 | UInt64(payload.operation) << 16
                | UInt64(truncatingIfNeeded: payload.path.count) << 32)
        crc.update(UInt64(truncatingIfNeeded: payload.value.count) | UInt64(truncatingIfNeeded: payload.options.count) << 32)
        crc.update(UInt64(bitPattern: payload.time))
        crc.update(payload.request)
        crc.update(payload.path)
        crc.update(payload.value)
        crc.update(payload.options)
        crc.update(payload.client)
        return crc.value
    }
}
