import Raft

/// A member as the cluster records it.
package struct Member: Equatable, Sendable {
    package var id: MemberID
    /// Empty until the member has started and published itself.
    package var name: String
    package var peerURLs: [String]
    package var clientURLs: [String]
    package var isLearner: Bool
    /// Was a member once; its id never comes back.
    package var isRemoved: Bool

    package init(
        id: MemberID, name: String = "", peerURLs: [String], clientURLs: [String] = [], isLearner: Bool = false,
        isRemoved: Bool = false
    ) {
        self.id = id
        self.name = name
        self.peerURLs = peerURLs
        self.clientURLs = clientURLs
        self.isLearner = isLearner
        self.isRemoved = isRemoved
    }
}

/// A change of the cluster, as an entry carries it.
package enum MembershipChange: Equatable, Sendable {
    case add(Member)
    case remove(MemberID)
    /// New peer URLs.
    case update(MemberID, peerURLs: [String])
    /// A member that has started tells its name and client URLs.
    case publish(MemberID, name: String, clientURLs: [String])
    case clusterVersion(String)
}

/// A membership change as the payload of an entry, version 1: the path is `/` and the member's id, the value lines of
/// `word text`, so that a shell reads them too.
package enum MembershipCodec {
    package static let version: UInt8 = 1

    /// The raw values are stored (`log.operation`); never renumber.
    private enum Operation: UInt8 {
        case add = 1
        case remove = 2
        case update = 3
        case publish = 4
        case clusterVersion = 5
    }

    package static func encode(_ change: MembershipChange, time: Int64, request: UInt64) -> EntryPayload {
        let operation: Operation
        var id: MemberID = .none
        var lines: [String] = []
        switch change {
        case .add(let member):
            operation = .add
            id = member.id
            if !member.name.isEmpty { lines.append("name \(oneLine(member.name))") }
            lines += member.peerURLs.map { "peer \($0)" } + member.clientURLs.map { "client \($0)" }
            if member.isLearner { lines.append("learner") }
        case .remove(let member):
            operation = .remove
            id = member
        case .update(let member, let peerURLs):
            operation = .update
            id = member
            lines = peerURLs.map { "peer \($0)" }
        case .publish(let member, let name, let clientURLs):
            operation = .publish
            id = member
            lines = ["name \(oneLine(name))"] + clientURLs.map { "client \($0)" }
        case .clusterVersion(let version):
            operation = .clusterVersion
            lines = ["version \(version)"]
        }
        return EntryPayload(
            kind: .membership, version: version, operation: operation.rawValue,
            path: id == .none ? [] : Array("/\(id)".utf8), value: Array(lines.joined(separator: "\n").utf8), time: time,
            request: request)
    }

    /// In `options` of a change that the leader found refused: it goes through the log only to be answered, and changes nothing.
    private static let void: [UInt8] = [1]

    /// The same change, refused. Raft counts a change of the configuration from the moment that it is in a log, so one that would be
    /// refused when it is applied must not look like one.
    package static func voided(_ payload: EntryPayload) -> EntryPayload {
        var payload = payload
        payload.options = void
        return payload
    }

    package static func isVoid(_ payload: EntryPayload) -> Bool { !payload.options.isEmpty }

    /// A name may hold anything; a line break would end its line.
    private static func oneLine(_ name: String) -> String {
        String(String.UnicodeScalarView(name.unicodeScalars.map { $0 == "\n" ? " " : $0 }))
    }

    /// Nil when the payload is not one that this version writes.
    package static func decode(_ payload: EntryPayload) -> MembershipChange? {
        guard payload.kind == EntryKind.membership.rawValue, payload.version == version,
            let operation = Operation(rawValue: payload.operation)
        else { return nil }
        var name = ""
        var clusterVersion = ""
        var peerURLs: [String] = []
        var clientURLs: [String] = []
        var isLearner = false
        for line in payload.value.split(separator: UInt8(ascii: "\n")) {
            let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 1)
            let text = parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : ""
            switch String(decoding: parts.first ?? [], as: UTF8.self) {
            case "name": name = text
            case "peer": peerURLs.append(text)
            case "client": clientURLs.append(text)
            case "learner": isLearner = true
            case "version": clusterVersion = text
            default: return nil
            }
        }
        if operation == .clusterVersion { return .clusterVersion(clusterVersion) }
        guard payload.path.first == UInt8(ascii: "/"),
            let id = MemberID(hex: String(decoding: payload.path.dropFirst(), as: UTF8.self)), id != .none
        else { return nil }
        switch operation {
        case .add:
            return .add(Member(id: id, name: name, peerURLs: peerURLs, clientURLs: clientURLs, isLearner: isLearner))
        case .remove: return .remove(id)
        case .update: return .update(id, peerURLs: peerURLs)
        case .publish: return .publish(id, name: name, clientURLs: clientURLs)
        case .clusterVersion: return nil
        }
    }
}
