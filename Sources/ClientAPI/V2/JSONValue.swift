/// A JSON text (RFC 8259) taken apart: small bodies of the administrative endpoints only.
enum JSONValue: Equatable {
    case null
    case bool(Bool)
    /// As it was written.
    case number([UInt8])
    case string([UInt8])
    case array([JSONValue])
    case object([(name: [UInt8], value: JSONValue)])

    /// Why a text is not JSON, for people.
    struct Malformed: Error, Equatable {
        let message: String
    }

    /// Bodies of more bytes are not looked at: a parsed text is many times larger.
    static let bytesMax = 64 << 10

    static func parse(_ text: [UInt8]) throws(Malformed) -> JSONValue {
        if text.count > bytesMax { throw Malformed(message: "request body too large") }
        var reader = JSONReader(text)
        return try reader.whole()
    }

    /// Go's word for what it is.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    /// The member of an object; field names match in any case, as in Go.
    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { String(decoding: $0.name, as: UTF8.self).lowercased() == name.lowercased() }?.value
    }

    static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)), (.string(let left), .string(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)):
            left.elementsEqual(right) { $0.name == $1.name && $0.value == $1.value }
        default: false
        }
    }
}
