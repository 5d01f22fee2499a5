import Testing

@testable import Discovery

/// Makes answers byte by byte.
struct AnswerBytes {
    var bytes: [UInt8]

    init(id: UInt16, flags: UInt16 = 0x8180, name: String, answers: UInt16) {
        bytes = Self.short(id) + Self.short(flags) + Self.short(1) + Self.short(answers) + [0, 0, 0, 0]
        bytes += Self.name(name) + Self.short(33) + Self.short(1)
    }

    static func short(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

    static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    /// - Parameter owner: the bytes of a name; by default a pointer to the question's.
    mutating func add(_ type: UInt16, _ data: [UInt8], owner: [UInt8] = [0xc0, 12]) {
        bytes += owner + Self.short(type) + Self.short(1) + [0, 0, 0, 60] + Self.short(UInt16(data.count)) + data
    }

    mutating func addService(_ port: UInt16, _ target: String, owner: [UInt8] = [0xc0, 12]) {
        add(33, [0, 1, 0, 2] + Self.short(port) + Self.name(target), owner: owner)
    }
}

@Suite("Messages of the domain name system (RFC 1035, RFC 2782)")
struct DNSMessageTests {
    @Test("A question is as in the RFC")
    func question() {
        #expect(
            DNSMessage.question("_a._tcp.b.", id: 0x1234) == [
                0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0x5f, 0x61, 4, 0x5f, 0x74, 0x63, 0x70, 1, 0x62, 0, 0, 33, 0, 1,
            ])
        for name in ["", ".", "a..b", String(repeating: "a", count: 64), Array(repeating: "abcdefg", count: 40).joined(separator: ".")] {
            #expect(DNSMessage.question(name, id: 1) == nil, "\(name)")
        }
    }

    @Test("An answer with records, aliases and what is of no interest; names compressed and in any case")
    func answer() throws {
        var made = AnswerBytes(id: 7, name: "_X._tcp.Example.test", answers: 4)
        made.add(5, [3] + Array("alt".utf8) + [0xc0, 20])
        made.add(1, [127, 0, 0, 1])
        made.addService(2380, "Infra0.example.test", owner: [3] + Array("alt".utf8) + [0xc0, 20])
        made.add(33, [0, 1, 0, 2, 0, 80] + [0xc0, 20])
        let message = try #require(DNSMessage(answer: made.bytes))
        #expect(message.id == 7 && message.code == 0 && !message.isTruncated && message.name == "_x._tcp.example.test")
        #expect(message.records.map(\.owner) == ["_x._tcp.example.test", "alt.example.test", "_x._tcp.example.test"])
        #expect(
            message.records.map(\.record) == [
                .alias(target: "alt.example.test"),
                .service(ServiceRecord(priority: 1, weight: 2, port: 2380, target: "infra0.example.test")),
                .service(ServiceRecord(priority: 1, weight: 2, port: 80, target: "example.test")),
            ])
    }

    @Test("Names that lead in circles, forward, beyond the end or are too long are none")
    func badNames() {
        func isRead(_ name: [UInt8]) -> Bool {
            var made = AnswerBytes(id: 1, name: "a.test", answers: 1)
            made.add(33, [0, 0, 0, 0, 0, 1] + name)
            return DNSMessage(answer: made.bytes) != nil
        }
        #expect(isRead([1, 0x62, 0xc0, 12]))
        // The place of the name itself, one behind it, one beyond the end, a label beyond the end, a kind of label that does not exist.
        let place = UInt8(AnswerBytes(id: 1, name: "a.test", answers: 1).bytes.count + 12 + 6)
        #expect(!isRead([0xc0, place]))
        #expect(!isRead([0xc0, place + 2, 0]))
        #expect(!isRead([0xff, 0xff]))
        #expect(!isRead([63, 0x62]))
        #expect(!isRead([0x80, 0x62, 0]))
        #expect(!isRead([1, 0x0a, 0]))
        #expect(!isRead(Array(repeating: [UInt8(3), 0x61, 0x61, 0x61], count: 70).flatMap { $0 } + [0]))
        // Loops by two pointers.
        #expect(!isRead([1, 0x62, 0xc0, place]))
    }

    @Test("Any cut and any flipped byte of an answer is read or refused, and nothing else happens")
    func fuzz() {
        var made = AnswerBytes(id: 7, name: "_x._tcp.example.test", answers: 2)
        made.addService(2380, "infra0.example.test")
        made.add(33, [0, 1, 0, 2, 0, 80, 0xc0, 20])
        for end in made.bytes.indices { _ = DNSMessage(answer: Array(made.bytes[..<end])) }
        #expect(DNSMessage(answer: Array(made.bytes.dropLast())) == nil)
        for place in made.bytes.indices {
            for value in UInt8.min ... .max {
                var bytes = made.bytes
                bytes[place] = value
                _ = DNSMessage(answer: bytes)
            }
        }
    }
}

@Suite("resolv.conf(5)")
struct ResolverConfigurationTests {
    @Test("What it says, what it does not, and what nobody can mean")
    func parsing() {
        let told = ResolverConfiguration(
            parsing: """
                # comment
                domain one.test
                search a.test b.test ; not this
                nameserver 10.0.0.1
                nameserver ::1
                nameserver 10.0.0.3
                nameserver 10.0.0.4
                options timeout:1 attempts:900 ndots:2 rotate
                """)
        #expect(told.servers.map(\.address) == ["10.0.0.1", "::1", "10.0.0.3"])
        #expect(told.search == ["a.test", "b.test"])
        #expect(told.timeoutSeconds == 1 && told.attempts == 5 && told.dotsMin == 2)
        let empty = ResolverConfiguration(parsing: "")
        #expect(empty.servers.map(\.address) == ["127.0.0.1"] && empty.timeoutSeconds == 5 && empty.attempts == 2)
    }

    @Test("A name with dots is asked for as it is first, with a dot at the end only so")
    func candidates() {
        var configuration = ResolverConfiguration()
        configuration.search = ["a.test", "b."]
        #expect(configuration.candidates("x.y") == ["x.y", "x.y.a.test", "x.y.b"])
        #expect(configuration.candidates("x") == ["x.a.test", "x.b", "x"])
        #expect(configuration.candidates("x.") == ["x"])
    }
}
