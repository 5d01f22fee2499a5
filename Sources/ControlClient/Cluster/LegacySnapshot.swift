import Foundation

/// The key tree in a snapshot of etcd 0.4: the JSON of its store, as it is or in the file that its Raft library wrote around it.
struct LegacySnapshot: Sendable {
    struct Key: Equatable, Sendable {
        let path: String
        let value: String
        /// Nil: it stays.
        let expiration: Date?
    }

    enum Failure: Error, CustomStringConvertible {
        case badChecksum
        case notASnapshot
        case noSuchKey(String)

        var description: String {
            switch self {
            case .badChecksum: "bad checksum"
            case .notASnapshot: "it is not the JSON of an etcd 0.4 store"
            case .noSuchKey(let path): "100: Key not found (\(path)) [0]"
            }
        }
    }

    /// As Go's encoder writes etcd's type.
    private struct Node: Decodable, Sendable {
        let expireTime: String?
        let value: String?
        /// Nil for a key.
        let children: [String: Node]?

        private enum CodingKeys: String, CodingKey {
            case expireTime = "ExpireTime", value = "Value", children = "Children"
        }
    }

    private struct Store: Decodable {
        let root: Node

        private enum CodingKeys: String, CodingKey { case root = "Root" }
    }

    private struct File: Decodable {
        let state: Data
    }

    private let root: Node

    /// - Parameter bytes: of the file.
    init(_ bytes: [UInt8]) throws(Failure) {
        let state = try Self.state(in: bytes)
        guard let store = try? JSONDecoder().decode(Store.self, from: state) else { throw .notASnapshot }
        root = store.root
    }

    /// What stands behind a line with the checksum of the rest; without that line, all of it.
    private static func state(in bytes: [UInt8]) throws(Failure) -> Data {
        var rest = bytes[...]
        if bytes.count > 9, bytes[8] == UInt8(ascii: "\n"), let checksum = UInt32(String(decoding: bytes[..<8], as: UTF8.self), radix: 16) {
            rest = bytes[9...]
            guard crc32(rest) == checksum else { throw .badChecksum }
        }
        let data = Data(rest)
        return (try? JSONDecoder().decode(File.self, from: data).state) ?? data
    }

    /// Polynomial of IEEE 802.3.
    static func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
        }
        return ~crc
    }

    /// All keys at or below `path`, in the order of their names. What is hidden below it is left out.
    func keys(below path: String = "/") throws(Failure) -> [Key] {
        var node = root
        var at = ""
        for name in path.split(separator: "/") {
            guard let next = node.children?[String(name)] else { throw .noSuchKey(path) }
            node = next
            at += "/" + name
        }
        var keys: [Key] = []
        Self.gather(node, at, into: &keys)
        return keys
    }

    private static func gather(_ node: Node, _ path: String, into keys: inout [Key]) {
        guard let children = node.children else {
            return keys.append(Key(path: path, value: node.value ?? "", expiration: expiration(node.expireTime)))
        }
        for (name, child) in children.sorted(by: { $0.key < $1.key }) where !name.hasPrefix("_") {
            gather(child, path + "/" + name, into: &keys)
        }
    }

    /// Go's zero time, the year 1, means never.
    private static func expiration(_ text: String?) -> Date? {
        guard let text, !text.hasPrefix("0001-") else { return nil }
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = .withInternetDateTime
        return formatter.date(from: text.replacing(/\.\d+/, with: ""))
    }
}
