import HTTPTransport
import Raft
import Wire

/// Who this member is, as it says on every connection.
package struct PeerIdentity: Equatable, Sendable {
    package var cluster: MemberID
    package var member: MemberID
    package var serverVersion: String
    /// The lowest cluster version that this server can work with.
    package var minimumVersion: String

    package init(cluster: MemberID, member: MemberID, serverVersion: String, minimumVersion: String) {
        self.cluster = cluster
        self.member = member
        self.serverVersion = serverVersion
        self.minimumVersion = minimumVersion
    }
}

/// The first thing that either side says on a connection between members.
package struct Hello: Equatable, Sendable {
    /// What the connection is for. The raw values are sent; never renumber.
    package enum Purpose: UInt8, Sendable {
        case messages = 1
        case snapshot = 2
    }

    /// What every connection begins with, before the first frame. No HTTP request does.
    package static let preface = Array("ETCLITE/PEER/1\r\n".utf8)
    package static let protocolVersion: UInt8 = 1

    package var protocolVersion = Hello.protocolVersion
    package var purpose: Purpose
    package var cluster: MemberID
    package var from: MemberID
    package var to: MemberID
    package var serverVersion: String
    package var minimumVersion: String
    /// What the sender understands besides; an older one does not say.
    package var features = Features.own

    package struct Features: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Frames of the kind `part`.
        package static let parts = Features(rawValue: 1)
        /// Entries that change users and roles.
        package static let access = Features(rawValue: 2)
        /// Messages that ask for the outcome of requests, and tell it.
        package static let outcomes = Features(rawValue: 4)
        static let own: Features = [.parts, .access, .outcomes]
    }

    package init(_ purpose: Purpose, from identity: PeerIdentity, to member: MemberID) {
        self.purpose = purpose
        cluster = identity.cluster
        from = identity.member
        to = member
        serverVersion = identity.serverVersion
        minimumVersion = identity.minimumVersion
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(protocolVersion)
        writer.write(purpose.rawValue)
        writer.write(cluster.value)
        writer.write(from.value)
        writer.write(to.value)
        writer.write(Array(serverVersion.utf8))
        writer.write(Array(minimumVersion.utf8))
        writer.write(features.rawValue)
    }

    /// Nil when it is none. What a later version adds behind these fields is not looked at.
    init?(from reader: inout ByteReader) {
        guard let version = reader.readByte(), let purpose = reader.readByte().flatMap({ Purpose(rawValue: $0) }),
            let cluster = reader.readWord(), let from = reader.readWord(), let to = reader.readWord(),
            let serverVersion = PeerText.read(from: &reader), let minimumVersion = PeerText.read(from: &reader)
        else { return nil }
        protocolVersion = version
        self.purpose = purpose
        self.cluster = MemberID(cluster)
        self.from = MemberID(from)
        self.to = MemberID(to)
        self.serverVersion = serverVersion
        self.minimumVersion = minimumVersion
        features = Features(rawValue: reader.readByte() ?? 0)
    }
}

/// Why one member does not talk with another.
package struct HelloRefusal: Equatable, Sendable {
    /// The raw values are sent; never renumber.
    package enum Reason: UInt8, Sendable {
        /// Of the protocol or of the server.
        case incompatibleVersion = 1
        case clusterMismatch = 2
        /// Was a member once; it shall stop.
        case senderRemoved = 3
        case senderNotFound = 4
        /// Whoever was dialled is another member.
        case toMismatch = 5
        /// Not now; ask again.
        case busy = 6
        /// A reason that this version does not know.
        case other = 255
    }

    package var reason: Reason
    /// For a log; without line breaks.
    package var text: String

    package init(_ reason: Reason, _ text: String) {
        self.reason = reason
        self.text = text
    }
}

/// The answer to a hello: who answers, and what speaks against it.
struct HelloReply: Equatable, Sendable {
    var hello: Hello
    var refusal: HelloRefusal?

    var frame: [UInt8] {
        var writer = ByteWriter()
        writer.write(FrameKind.helloReply.rawValue)
        writer.write(refusal?.reason.rawValue ?? 0)
        writer.write(PeerText.bytes(refusal?.text ?? ""))
        hello.encode(into: &writer)
        return writer.bytes
    }

    init(hello: Hello, refusal: HelloRefusal?) {
        self.hello = hello
        self.refusal = refusal
    }

    /// - Parameter bytes: a frame's, kind included.
    init?(_ bytes: [UInt8]) {
        var reader = ByteReader(bytes, from: 1)
        guard let status = reader.readByte(), let text = PeerText.read(from: &reader), let hello = Hello(from: &reader)
        else { return nil }
        self.hello = hello
        refusal = status == 0 ? nil : HelloRefusal(HelloRefusal.Reason(rawValue: status) ?? .other, text)
    }
}

/// Texts from another member: short, and nothing in them that could make a line of its own in a log.
enum PeerText {
    static func bytes(_ text: String) -> [UInt8] { Array(text.utf8.prefix(PeerLimits.textBytesMax)) }

    static func read(from reader: inout ByteReader) -> String? {
        guard let bytes = reader.readString(), bytes.count <= PeerLimits.textBytesMax else { return nil }
        return String(decoding: bytes.map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
