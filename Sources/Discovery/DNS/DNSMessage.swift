/// Questions and answers of the domain name system as bytes (RFC 1035 §4, RFC 2782). What comes from a server is a stranger's.
struct DNSMessage: Equatable {
    enum Record: Equatable {
        case service(ServiceRecord)
        case alias(target: String)
    }

    var id: UInt16
    var isTruncated: Bool
    /// 0: no error, 2: the server failed, 3: no such name (RFC 1035 §4.1.1).
    var code: UInt8
    /// What was asked.
    var name: String
    /// With the names they belong to.
    var records: [(owner: String, record: Record)]

    static let serviceType: UInt16 = 33
    private static let aliasType: UInt16 = 5
    private static let internet: UInt16 = 1

    static func == (left: DNSMessage, right: DNSMessage) -> Bool {
        left.id == right.id && left.isTruncated == right.isTruncated && left.code == right.code && left.name == right.name
            && left.records.map(\.owner) == right.records.map(\.owner) && left.records.map(\.record) == right.records.map(\.record)
    }

    /// A question for the service records of a name, with recursion desired; nil when the text is no domain name.
    static func question(_ name: String, id: UInt16) -> [UInt8]? {
        var bytes: [UInt8] = [UInt8(id >> 8), UInt8(id & 0xff), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        let rooted = name.hasSuffix(".") ? name.dropLast() : name[...]
        guard !rooted.isEmpty, rooted.utf8.count <= 253 else { return nil }
        for label in rooted.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard (1...63).contains(label.count) else { return nil }
            bytes.append(UInt8(label.count))
            bytes.append(contentsOf: label)
        }
        return bytes + [0, UInt8(serviceType >> 8), UInt8(serviceType & 0xff), UInt8(internet >> 8), UInt8(internet & 0xff)]
    }

    /// Nil for what is no answer to one question.
    init?(answer bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard let id = reader.short(), let flags = reader.short(), let questions = reader.short(), let answers = reader.short(),
            reader.skip(4), flags & 0x8000 != 0, questions == 1, let name = reader.name(), let type = reader.short(),
            let kind = reader.short(), type == Self.serviceType, kind == Self.internet
        else { return nil }
        (self.id, self.name) = (id, name)
        isTruncated = flags & 0x0200 != 0
        code = UInt8(flags & 0xf)
        records = []
        // The rest of a truncated answer may end anywhere, and is asked for anew.
        guard !isTruncated else { return }
        for _ in 0..<answers {
            guard let owner = reader.name(), let type = reader.short(), let kind = reader.short(), reader.skip(4),
                let length = reader.short(), let end = reader.place(after: Int(length))
            else { return nil }
            if kind == Self.internet {
                switch type {
                case Self.serviceType:
                    guard let priority = reader.short(), let weight = reader.short(), let port = reader.short(),
                        let target = reader.name(), reader.position == end
                    else { return nil }
                    let service = ServiceRecord(priority: priority, weight: weight, port: port, target: target)
                    records.append((owner, .service(service)))
                case Self.aliasType:
                    guard let target = reader.name(), reader.position == end else { return nil }
                    records.append((owner, .alias(target: target)))
                default: break
                }
            }
            reader.position = end
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        mutating func short() -> UInt16? {
            guard position + 2 <= bytes.count else { return nil }
            defer { position += 2 }
            return UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
        }

        mutating func skip(_ count: Int) -> Bool {
            guard let place = place(after: count) else { return false }
            position = place
            return true
        }

        func place(after count: Int) -> Int? { position + count <= bytes.count ? position + count : nil }

        /// In lower case, without a dot at the end; the root is empty. A pointer leads only backward, so that the way ends.
        mutating func name() -> String? {
            var labels: [String] = []
            var length = 0
            var place = position
            var bound = bytes.count
            var hasJumped = false
            while place < bound {
                let count = Int(bytes[place])
                switch count {
                case 0:
                    if !hasJumped { position = place + 1 }
                    return labels.joined(separator: ".")
                case 1...63:
                    guard place + 1 + count <= bytes.count else { return nil }
                    let label = bytes[place + 1..<place + 1 + count]
                    length += count + 1
                    // Names that nobody can write in a URL are of no use here.
                    guard length <= 255, label.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ".") }) else { return nil }
                    labels.append(String(decoding: label, as: UTF8.self).lowercased())
                    place += 1 + count
                case 0xc0...0xff:
                    guard place + 2 <= bytes.count else { return nil }
                    let target = (count & 0x3f) << 8 | Int(bytes[place + 1])
                    if !hasJumped { position = place + 2 }
                    hasJumped = true
                    guard target < place else { return nil }
                    // Labels from here on lie before the place that led here.
                    bound = place
                    place = target
                default: return nil
                }
            }
            return nil
        }
    }
}

/// One place where a service is offered (RFC 2782).
package struct ServiceRecord: Equatable, Sendable {
    package let priority: UInt16
    package let weight: UInt16
    package let port: UInt16
    /// A host's name in lower case without a dot at the end.
    package let target: String
}
