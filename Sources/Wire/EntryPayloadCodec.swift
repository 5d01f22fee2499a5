import Raft

/// What an entry carries, as it travels between members: kind, version and operation (a byte each), path, value and options
/// (strings), time (word), client (string), request (word).
enum EntryPayloadCodec {
    /// The shortest payload: three bytes, four empty strings, two words. No list can have more payloads than its bytes allow.
    static let bytesMin = 3 + 4 + 16

    static func encode(_ payload: EntryPayload, into writer: inout ByteWriter) {
        writer.write(payload.kind)
        writer.write(payload.version)
        writer.write(payload.operation)
        writer.write(payload.path)
        writer.write(payload.value)
        writer.write(payload.options)
        writer.write(UInt64(bitPattern: payload.time))
        writer.write(payload.client)
        writer.write(payload.request)
    }

    /// Nil when the bytes end too early. Kinds and versions that are not known are passed on as they are.
    static func decode(from reader: inout ByteReader) -> EntryPayload? {
        guard let kind = reader.readByte(), let version = reader.readByte(), let operation = reader.readByte(),
            let path = reader.readString(), let value = reader.readString(), let options = reader.readString(),
            let time = reader.readWord(), let client = reader.readString(), let request = reader.readWord()
        else { return nil }
        return EntryPayload(
            rawKind: kind, version: version, operation: operation, path: path, value: value, options: options,
            time: Int64(bitPattern: time), client: client, request: request)
    }
}
