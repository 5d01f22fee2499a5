import Keyspace
import Raft

/// A key tree command as the payload of an entry, version 1.
///
/// Operation, path and value have fields of their own. `options` is empty when there is nothing else, otherwise a byte of
/// flags and then what they announce, in this order: expiration (word), previous value (string), previous index (varint).
package enum CommandCodec {
    package static let version: UInt8 = 1

    private enum Flag {
        static let directory: UInt8 = 1
        static let recursive: UInt8 = 2
        static let refresh: UInt8 = 4
        static let expiration: UInt8 = 8
        static let previousValue: UInt8 = 16
        static let previousIndex: UInt8 = 32
        static let known: UInt8 = 63
    }

    package static func encode(_ command: Command, time: Int64, client: [UInt8], request: UInt64) -> EntryPayload {
        EntryPayload(
            kind: .keys, version: version, operation: command.operation.rawValue, path: command.path.bytes,
            value: command.value, options: options(of: command), time: time, client: client, request: request)
    }

    /// Nil when the payload is not one that this version writes.
    package static func decode(_ payload: EntryPayload) -> Command? {
        guard payload.kind == EntryKind.keys.rawValue, payload.version == version,
            let operation = Command.Operation(rawValue: payload.operation)
        else { return nil }
        var command = Command(operation, TreePath(clean: payload.path))
        command.value = payload.value
        guard !payload.options.isEmpty else { return command }
        var reader = ByteReader(payload.options)
        guard let flags = reader.readByte(), flags & ~Flag.known == 0 else { return nil }
        command.isDirectory = flags & Flag.directory != 0
        command.isRecursive = flags & Flag.recursive != 0
        command.isRefresh = flags & Flag.refresh != 0
        if flags & Flag.expiration != 0 {
            guard let word = reader.readWord() else { return nil }
            command.expiration = Int64(bitPattern: word)
        }
        if flags & Flag.previousValue != 0 {
            guard let value = reader.readString() else { return nil }
            command.previousValue = value
        }
        if flags & Flag.previousIndex != 0 {
            guard let index = reader.readVarint() else { return nil }
            command.previousIndex = index
        }
        return reader.isAtEnd ? command : nil
    }

    /// Whether it may get into the log: it can be applied, and keeps the bounds for those that are new.
    package static func isProposable(_ payload: EntryPayload) -> Bool { decode(payload)?.isWithinLimits ?? false }

    /// The same command as if it had been made at `time`: what it says of the time moves along.
    package static func shifted(_ payload: EntryPayload, to time: Int64) -> EntryPayload {
        var shifted = payload
        shifted.time = time
        guard var command = decode(payload), let expiration = command.expiration else { return shifted }
        let sum = expiration.addingReportingOverflow(time &- payload.time)
        command.expiration = sum.overflow ? .max : sum.partialValue
        shifted.options = options(of: command)
        return shifted
    }

    private static func options(of command: Command) -> [UInt8] {
        var flags: UInt8 = 0
        if command.isDirectory { flags |= Flag.directory }
        if command.isRecursive { flags |= Flag.recursive }
        if command.isRefresh { flags |= Flag.refresh }
        if command.expiration != nil { flags |= Flag.expiration }
        if command.previousValue != nil { flags |= Flag.previousValue }
        if command.previousIndex != 0 { flags |= Flag.previousIndex }
        guard flags != 0 else { return [] }
        var writer = ByteWriter()
        writer.write(flags)
        if let expiration = command.expiration { writer.write(UInt64(bitPattern: expiration)) }
        if let value = command.previousValue { writer.write(value) }
        if command.previousIndex != 0 { writer.writeVarint(command.previousIndex) }
        return writer.bytes
    }
}
