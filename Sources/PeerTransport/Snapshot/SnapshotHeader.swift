import Raft
import Wire

/// What a snapshot is, as its sender says before the first byte.
package struct SnapshotHeader: Equatable, Sendable {
    /// The last entry that the state contains.
    package var position: LogPosition
    /// The sender's term: it leads in it.
    package var term: Term
    /// Who takes part at `position`.
    package var configuration: Configuration
    /// The hash of the state in the owner's form, for the receiver to compare; the transport only carries it.
    package var stateHash: String
    /// Of the file. Set by the sender from the file itself.
    package var bytes: UInt64

    package init(position: LogPosition, term: Term, configuration: Configuration, stateHash: String, bytes: UInt64 = 0) {
        self.position = position
        self.term = term
        self.configuration = configuration
        self.stateHash = stateHash
        self.bytes = bytes
    }

    private static let version: UInt8 = 1
    private static let membersMax = 1024

    func encode(into writer: inout ByteWriter) {
        writer.write(Self.version)
        writer.writeVarint(position.index.value)
        writer.writeVarint(position.term.value)
        writer.writeVarint(term.value)
        writer.write(bytes)
        writer.write(PeerText.bytes(stateHash))
        for list in [configuration.voters, configuration.learners] {
            writer.writeVarint(UInt64(list.count))
            for member in list { writer.write(member.value) }
        }
    }

    /// Nil when it is none.
    init?(from reader: inout ByteReader) {
        guard reader.readByte() == Self.version, let index = reader.readVarint(), let positionTerm = reader.readVarint(),
            let term = reader.readVarint(), let bytes = reader.readWord(), let stateHash = PeerText.read(from: &reader),
            let voters = Self.readMembers(from: &reader), let learners = Self.readMembers(from: &reader), reader.isAtEnd
        else { return nil }
        self.init(
            position: LogPosition(index: Index(index), term: Term(positionTerm)), term: Term(term),
            configuration: Configuration(voters: voters, learners: learners), stateHash: stateHash, bytes: bytes)
    }

    private static func readMembers(from reader: inout ByteReader) -> [MemberID]? {
        guard let count = reader.readVarint(), count <= UInt64(membersMax) else { return nil }
        var members: [MemberID] = []
        for _ in 0..<count {
            guard let member = reader.readWord() else { return nil }
            members.append(MemberID(member))
        }
        return members
    }
}

/// The last word of a sender: what it has read and sent.
struct SnapshotEnd: Equatable, Sendable {
    var bytes: UInt64
    /// CRC32C over the whole file.
    var checksum: UInt32

    init(bytes: UInt64, checksum: UInt32) {
        self.bytes = bytes
        self.checksum = checksum
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(bytes)
        writer.writeVarint(UInt64(checksum))
    }

    init?(from reader: inout ByteReader) {
        guard let bytes = reader.readWord(), let checksum = reader.readVarint().flatMap({ UInt32(exactly: $0) }), reader.isAtEnd
        else { return nil }
        self.init(bytes: bytes, checksum: checksum)
    }
}

/// The receiver's word: on the header, and on the whole. Nil: yes.
enum SnapshotReply {
    static func frame(_ refusal: String?) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(FrameKind.snapshotReply.rawValue)
        writer.write(refusal == nil ? UInt8(0) : 1)
        writer.write(PeerText.bytes(refusal ?? ""))
        return writer.bytes
    }

    /// Nil when the bytes are none; boxed, because "yes" is nil too.
    static func parse(_ body: [UInt8]) -> (refusal: String?, Void)? {
        var reader = ByteReader(body, from: 1)
        guard let status = reader.readByte(), status <= 1, let text = PeerText.read(from: &reader) else { return nil }
        return (status == 0 ? nil : text, ())
    }
}
