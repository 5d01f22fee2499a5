import Access

/// A change of users or roles as the payload of an entry, version 1: the path is `/users/` or `/roles/` and the name, the value lines
/// of `word text`, so that a shell reads them too. In a text `\n` stands for a line break and `\\` for a backslash.
package enum AccessCodec {
    package static let version: UInt8 = 1

    /// The raw values are stored (`log.operation`); never renumber.
    private enum Operation: UInt8 {
        case createUser = 1
        case setUser = 2
        case updateUser = 3
        case deleteUser = 4
        case createRole = 5
        case updateRole = 6
        case deleteRole = 7
        case enable = 8
        case disable = 9
    }

    /// The words of the lines. Those without a text say that a list is there, though it may be empty.
    private enum Word {
        static let password = "password"
        static let roles = "roles"
        static let role = "role"
        static let grantRole = "grant-role"
        static let revokeRole = "revoke-role"
        static let reads = "reads"
        static let read = "read"
        static let writes = "writes"
        static let write = "write"
        static let grant = "grant"
        static let grantRead = "grant-read"
        static let grantWrite = "grant-write"
        static let revoke = "revoke"
        static let revokeRead = "revoke-read"
        static let revokeWrite = "revoke-write"
    }

    private static let users = AccessName("/users/".utf8)
    private static let roles = AccessName("/roles/".utf8)

    // MARK: Encoding

    package static func encode(_ command: AccessCommand, time: Int64, client: [UInt8], request: UInt64) -> EntryPayload {
        var lines = Lines()
        let (operation, path): (Operation, AccessName)
        switch command {
        case .createUser(let user):
            (operation, path) = (.createUser, users + user.name)
            lines.add(Word.password, user.password)
            lines.add(list: Word.roles, Word.role, user.roles)
        case .setUser(let name, let password):
            (operation, path) = (.setUser, users + name)
            if let password { lines.add(Word.password, password) }
        case .updateUser(let name, let password, let grant, let revoke):
            (operation, path) = (.updateUser, users + name)
            if let password { lines.add(Word.password, password) }
            for role in grant { lines.add(Word.grantRole, role) }
            for role in revoke { lines.add(Word.revokeRole, role) }
        case .deleteUser(let name): (operation, path) = (.deleteUser, users + name)
        case .createRole(let role):
            (operation, path) = (.createRole, roles + role.name)
            lines.add(list: Word.reads, Word.read, role.permissions.read)
            lines.add(list: Word.writes, Word.write, role.permissions.write)
        case .updateRole(let name, let grant, let revoke):
            (operation, path) = (.updateRole, roles + name)
            lines.add(permissions: Word.grant, Word.grantRead, Word.grantWrite, grant)
            lines.add(permissions: Word.revoke, Word.revokeRead, Word.revokeWrite, revoke)
        case .deleteRole(let name): (operation, path) = (.deleteRole, roles + name)
        case .enable: (operation, path) = (.enable, [])
        case .disable: (operation, path) = (.disable, [])
        }
        return EntryPayload(
            kind: .access, version: version, operation: operation.rawValue, path: path, value: lines.bytes, time: time, client: client,
            request: request)
    }

    private struct Lines {
        private(set) var bytes: [UInt8] = []

        mutating func add(_ word: String, _ text: AccessName? = nil) {
            if !bytes.isEmpty { bytes.append(UInt8(ascii: "\n")) }
            bytes.append(contentsOf: word.utf8)
            guard let text else { return }
            bytes.append(UInt8(ascii: " "))
            for byte in text {
                switch byte {
                case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
                case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
                default: bytes.append(byte)
                }
            }
        }

        mutating func add(list: String, _ word: String, _ names: [AccessName]?) {
            guard let names else { return }
            add(list)
            for name in names { add(word, name) }
        }

        mutating func add(permissions: String, _ read: String, _ write: String, _ value: Permissions?) {
            guard let value else { return }
            add(permissions)
            for pattern in value.read ?? [] { add(read, pattern) }
            for pattern in value.write ?? [] { add(write, pattern) }
        }
    }

    // MARK: Decoding

    /// What the operation is called: `createUser`; nil for an unknown one.
    package static func name(ofOperation raw: UInt8) -> String? { Operation(rawValue: raw).map { "\($0)" } }

    /// Nil when the payload is not one that this version writes.
    package static func decode(_ payload: EntryPayload) -> AccessCommand? {
        guard payload.kind == EntryKind.access.rawValue, payload.version == version, payload.options.isEmpty,
            let operation = Operation(rawValue: payload.operation), let found = Found(payload.value)
        else { return nil }
        switch operation {
        case .enable: return .enable
        case .disable: return .disable
        case .createUser, .setUser, .updateUser, .deleteUser:
            guard let name = name(payload.path, behind: users) else { return nil }
            switch operation {
            case .createUser: return .createUser(User(name: name, password: found[Word.password] ?? [], roles: found.list(Word.roles, Word.role)))
            case .setUser: return .setUser(name: name, password: found[Word.password])
            case .updateUser:
                return .updateUser(
                    name: name, password: found[Word.password], grant: found.all(Word.grantRole), revoke: found.all(Word.revokeRole))
            default: return .deleteUser(name)
            }
        case .createRole, .updateRole, .deleteRole:
            guard let name = name(payload.path, behind: roles) else { return nil }
            switch operation {
            case .createRole:
                let permissions = Permissions(
                    read: found.list(Word.reads, Word.read), write: found.list(Word.writes, Word.write))
                return .createRole(Role(name: name, permissions: permissions))
            case .updateRole:
                return .updateRole(
                    name: name, grant: found.permissions(Word.grant, Word.grantRead, Word.grantWrite),
                    revoke: found.permissions(Word.revoke, Word.revokeRead, Word.revokeWrite))
            default: return .deleteRole(name)
            }
        }
    }

    private static func name(_ path: [UInt8], behind prefix: [UInt8]) -> AccessName? {
        path.starts(with: prefix) && path.count > prefix.count ? Array(path.dropFirst(prefix.count)) : nil
    }

    /// The lines of a value, taken apart.
    private struct Found {
        private var lines: [(word: String, text: AccessName)] = []

        private static let words: Set<String> = [
            Word.password, Word.roles, Word.role, Word.grantRole, Word.revokeRole, Word.reads, Word.read, Word.writes, Word.write,
            Word.grant, Word.grantRead, Word.grantWrite, Word.revoke, Word.revokeRead, Word.revokeWrite,
        ]

        init?(_ value: [UInt8]) {
            for line in value.split(separator: UInt8(ascii: "\n")) {
                let blank = line.firstIndex(of: UInt8(ascii: " ")) ?? line.endIndex
                let word = String(decoding: line[..<blank], as: UTF8.self)
                guard Found.words.contains(word), let text = Found.plain(line[blank...].dropFirst()) else { return nil }
                lines.append((word, text))
            }
        }

        private static func plain(_ text: ArraySlice<UInt8>) -> AccessName? {
            var plain: AccessName = []
            plain.reserveCapacity(text.count)
            var isEscaped = false
            for byte in text {
                if isEscaped {
                    switch byte {
                    case UInt8(ascii: "n"): plain.append(UInt8(ascii: "\n"))
                    case UInt8(ascii: "\\"): plain.append(byte)
                    default: return nil
                    }
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else {
                    plain.append(byte)
                }
            }
            return isEscaped ? nil : plain
        }

        subscript(word: String) -> AccessName? { lines.first { $0.word == word }?.text }

        func all(_ word: String) -> [AccessName] { lines.filter { $0.word == word }.map(\.text) }

        func list(_ marker: String, _ word: String) -> [AccessName]? { self[marker] == nil ? nil : all(word) }

        func permissions(_ marker: String, _ read: String, _ write: String) -> Permissions? {
            self[marker] == nil ? nil : Permissions(read: all(read), write: all(write))
        }
    }
}
