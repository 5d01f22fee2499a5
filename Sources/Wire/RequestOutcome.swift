import Keyspace

/// What came of a change of keys, as one member tells it another that cannot apply it itself.
package enum RequestOutcome: Equatable, Sendable {
    /// Watched paths below a removed directory are not told: they are the teller's.
    case event(Event)
    /// `index` is the v2 index at which it was refused.
    case refused(Refusal, index: UInt64)
    /// Its user had no right to it.
    case denied
    /// It was not taken up: the leader's disk is full as well.
    case diskFull
}

/// Byte form of `RequestOutcome`, version 1: a byte for the kind, then what belongs to it. A list of flags is a byte.
enum RequestOutcomeCodec {
    /// The raw values are sent; never renumber.
    private enum Kind: UInt8 {
        case event = 1
        case refused = 2
        case denied = 3
        case diskFull = 4
    }

    private enum Flag {
        static let previous: UInt8 = 1
        static let refresh: UInt8 = 2
        static let directory: UInt8 = 1
        static let expiration: UInt8 = 2
        static let value: UInt8 = 1
        static let index: UInt8 = 2
    }

    /// Not less than what it takes.
    static func sizeMax(of outcome: RequestOutcome) -> Int {
        switch outcome {
        case .event(let event): 128 + event.path.bytes.count + event.node.value.count + (event.previous?.value.count ?? 0)
        case .refused(.compareFailed(let value, _), _): 128 + (value.map { $0.given.count + $0.actual.count } ?? 0)
        case .refused(let refusal, _): 128 + (refusal.path?.bytes.count ?? 0)
        case .denied, .diskFull: 1
        }
    }

    static func encode(_ outcome: RequestOutcome, into writer: inout ByteWriter) {
        switch outcome {
        case .event(let event):
            writer.write(Kind.event.rawValue)
            writer.write(event.action.rawValue)
            writer.writeVarint(event.index)
            writer.write(event.path.bytes)
            writer.write(UInt64(bitPattern: event.time))
            writer.write((event.previous == nil ? 0 : Flag.previous) | (event.isRefresh ? Flag.refresh : 0))
            encode(event.node, into: &writer)
            if let previous = event.previous { encode(previous, into: &writer) }
        case .refused(let refusal, let index):
            writer.write(Kind.refused.rawValue)
            writer.writeVarint(index)
            encode(refusal, into: &writer)
        case .denied: writer.write(Kind.denied.rawValue)
        case .diskFull: writer.write(Kind.diskFull.rawValue)
        }
    }

    private static func encode(_ node: TreeNode, into writer: inout ByteWriter) {
        writer.write((node.isDirectory ? Flag.directory : 0) | (node.expiration == nil ? 0 : Flag.expiration))
        writer.write(node.value)
        writer.writeVarint(node.created)
        writer.writeVarint(node.modified)
        if let expiration = node.expiration { writer.write(UInt64(bitPattern: expiration)) }
    }

    /// The reason by its number (never renumber), then its path or what did not compare.
    private static func encode(_ refusal: Refusal, into writer: inout ByteWriter) {
        writer.write(refusal.number)
        if case .compareFailed(let value, let index) = refusal {
            writer.write((value == nil ? 0 : Flag.value) | (index == nil ? 0 : Flag.index))
            if let value {
                writer.write(value.given)
                writer.write(value.actual)
            }
            if let index {
                writer.writeVarint(index.given)
                writer.writeVarint(index.actual)
            }
        } else if let path = refusal.path {
            writer.write(path.bytes)
        }
    }

    /// Nil when the bytes are none of this version.
    static func decode(from reader: inout ByteReader) -> RequestOutcome? {
        switch reader.readByte().flatMap({ Kind(rawValue: $0) }) {
        case .event: decodeEvent(from: &reader).map { .event($0) }
        case .refused: decodeRefusal(from: &reader)
        case .denied: .denied
        case .diskFull: .diskFull
        case nil: nil
        }
    }

    private static func decodeEvent(from reader: inout ByteReader) -> Event? {
        guard let action = reader.readByte().flatMap({ Event.Action(rawValue: $0) }), let index = reader.readVarint(),
            let path = reader.readString(), let time = reader.readWord(), let flags = reader.readByte(),
            flags & ~(Flag.previous | Flag.refresh) == 0, let node = decodeNode(from: &reader)
        else { return nil }
        var previous: TreeNode?
        if flags & Flag.previous != 0 {
            guard let node = decodeNode(from: &reader) else { return nil }
            previous = node
        }
        return Event(
            action, index: index, path: TreePath(clean: path), node: node, previous: previous, time: Int64(bitPattern: time),
            isRefresh: flags & Flag.refresh != 0)
    }

    private static func decodeNode(from reader: inout ByteReader) -> TreeNode? {
        guard let flags = reader.readByte(), flags & ~(Flag.directory | Flag.expiration) == 0, let value = reader.readString(),
            let created = reader.readVarint(), let modified = reader.readVarint()
        else { return nil }
        var node = TreeNode(isDirectory: flags & Flag.directory != 0, value: value, created: created, modified: modified)
        if flags & Flag.expiration != 0 {
            guard let word = reader.readWord() else { return nil }
            node.expiration = Int64(bitPattern: word)
        }
        return node
    }

    private static func decodeRefusal(from reader: inout ByteReader) -> RequestOutcome? {
        guard let index = reader.readVarint(), let number = reader.readByte() else { return nil }
        if number == Refusal.compareFailed(value: nil, index: nil).number {
            guard let flags = reader.readByte(), flags & ~(Flag.value | Flag.index) == 0 else { return nil }
            var value: Refusal.Mismatch<[UInt8]>?
            var place: Refusal.Mismatch<UInt64>?
            if flags & Flag.value != 0 {
                guard let given = reader.readString(), let actual = reader.readString() else { return nil }
                value = .init(given: given, actual: actual)
            }
            if flags & Flag.index != 0 {
                guard let given = reader.readVarint(), let actual = reader.readVarint() else { return nil }
                place = .init(given: given, actual: actual)
            }
            return .refused(.compareFailed(value: value, index: place), index: index)
        }
        let path = Refusal.hasPath(number) ? reader.readString().map { TreePath(clean: $0) } : nil
        return Refusal(number: number, path: path).map { .refused($0, index: index) }
    }
}

extension Refusal {
    fileprivate var number: UInt8 {
        switch self {
        case .keyNotFound: 1
        case .compareFailed: 2
        case .notAFile(let path): path == nil ? 8 : 3
        case .notADirectory: 4
        case .keyAlreadyExists: 5
        case .rootIsReadOnly: 6
        case .directoryNotEmpty: 7
        }
    }

    fileprivate var path: TreePath? {
        switch self {
        case .keyNotFound(let path), .notADirectory(let path), .keyAlreadyExists(let path), .directoryNotEmpty(let path): path
        case .notAFile(let path): path
        case .compareFailed, .rootIsReadOnly: nil
        }
    }

    fileprivate static func hasPath(_ number: UInt8) -> Bool { [1, 3, 4, 5, 7].contains(number) }

    fileprivate init?(number: UInt8, path: TreePath?) {
        switch (number, path) {
        case (1, let path?): self = .keyNotFound(path)
        case (3, let path?): self = .notAFile(path)
        case (4, let path?): self = .notADirectory(path)
        case (5, let path?): self = .keyAlreadyExists(path)
        case (6, nil): self = .rootIsReadOnly
        case (7, let path?): self = .directoryNotEmpty(path)
        case (8, nil): self = .notAFile(nil)
        default: return nil
        }
    }
}
