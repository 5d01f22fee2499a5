import NIOCore
import Raft
import Testing
import Wire

@testable import PeerTransport

@Suite("Who may talk with whom")
struct HelloTests {
    @Test("Two clusters whose ports are mixed up refuse each other, and both say why, once")
    func clusterMismatch() throws {
        let one = try TestMember(1, cluster: 0xaaaa)
        let two = try TestMember(2, cluster: 0xbbbb)
        try one.know(two)
        try two.know(one)
        let atOne = [
            "request cluster ID mismatch (got bbbb want aaaa)",
            "request sent was ignored (cluster ID mismatch: peer[2]=bbbb, local=aaaa)",
        ]
        let atTwo = [
            "request cluster ID mismatch (got aaaa want bbbb)",
            "request sent was ignored (cluster ID mismatch: peer[1]=aaaa, local=bbbb)",
        ]
        #expect(try one.eventually { $0.record.notices.count >= 2 })
        #expect(try two.eventually { $0.record.notices.count >= 2 })
        // Time for a few more dials, about which nothing is said.
        pause(milliseconds: 700)
        #expect(try one.onLoop { $0.record.texts.sorted() } == atOne.sorted())
        #expect(try two.onLoop { $0.record.texts.sorted() } == atTwo.sorted())
        #expect(try one.onLoop { $0.record.events.isEmpty && $0.record.messages.isEmpty })
        #expect(try one.answersHTTP())
    }

    @Test("A member that was removed learns it from the one it dials")
    func removed() throws {
        let one = try TestMember(1)
        let two = try TestMember(2)
        try two.onLoop { $0.record.refused[MemberID(1)] = HelloRefusal(.senderRemoved, "removed member") }
        try one.know(two)
        #expect(try one.eventually { $0.record.events.contains(.removedFromCluster(by: MemberID(2))) })
        #expect(try two.onLoop { $0.record.texts } == ["rejected the stream from peer 1 since it was removed"])
        #expect(
            try one.onLoop { $0.record.texts } == [
                "request sent was ignored by peer 2: this member was removed from the cluster"
            ])
    }

    @Test(
        "Each reason reaches the one who dialled",
        arguments: [
            HelloRefusal(.senderNotFound, "error sender not found"), HelloRefusal(.incompatibleVersion, "too old"),
            HelloRefusal(.other, "no"),
        ])
    func reasons(refusal: HelloRefusal) throws {
        let two = try TestMember(2)
        try two.onLoop { $0.record.refused[MemberID(1)] = refusal }
        let client = try two.client()
        let reply = try client.greet(.messages, as: 1, to: two)
        #expect(reply?.refusal == refusal)
        #expect(reply?.hello.cluster == MemberID(0xc1) && reply?.hello.from == two.id && reply?.hello.serverVersion == "3.4.23")
        #expect(try client.isClosed())
    }

    @Test("The wrong member, oneself, nobody, and another protocol are refused whoever asks")
    func wrongEnds() throws {
        let two = try TestMember(2)
        func reason(_ member: UInt64, _ change: (inout Hello) -> Void) throws -> HelloRefusal.Reason? {
            let client = try two.client()
            let reply = try client.greet(.messages, as: member, to: two, change: change)
            return reply?.refusal?.reason
        }
        #expect(try reason(1) { $0.to = MemberID(3) } == .toMismatch)
        #expect(try reason(2) { _ in } == .toMismatch)
        #expect(try reason(0) { _ in } == .toMismatch)
        #expect(try reason(1) { $0.protocolVersion = 2 } == .incompatibleVersion)
        #expect(try reason(1) { $0.cluster = MemberID(7) } == .clusterMismatch)
        #expect(try reason(1) { _ in } == nil)
    }

    @Test("Whoever answers is checked as well: cluster, member, version, and what the owner says")
    func answers() throws {
        for (change, text): ((inout Hello) -> Void, String) in [
            ({ $0.cluster = MemberID(7) }, "request sent was ignored (cluster ID mismatch: peer[2]=7, local=c1)"),
            ({ $0.from = MemberID(3) }, "request sent was ignored by peer 2 (to field mismatch)"),
            (
                { $0.protocolVersion = 9 },
                "request sent was ignored by peer 2 (server version incompatible: incompatible version: protocol 9, here 1)"
            ),
        ] {
            let one = try TestMember(1)
            let server = try RawServer()
            try one.know([(MemberID(2), [server.url])])
            try server.accept().answerHello(as: MemberID(2), change: change)
            #expect(try one.eventually { !$0.record.notices.isEmpty })
            #expect(try one.onLoop { $0.record.texts } == [text])
            #expect(try one.onLoop { $0.record.events.isEmpty })
        }
        let one = try TestMember(1)
        try one.onLoop { $0.record.refused[MemberID(2)] = HelloRefusal(.senderRemoved, "removed member") }
        let two = try TestMember(2)
        try one.know(two)
        #expect(try one.eventually { !$0.record.notices.isEmpty })
        // That the peer was removed is our word, not its.
        #expect(try one.onLoop { $0.record.events.isEmpty })
    }

    @Test("A server that is none of ours, or says nothing, is tried again and again")
    func noPeer() throws {
        var limits = PeerLimits()
        limits.helloSecondsMax = 1
        let one = try TestMember(1, limits: limits)
        let server = try RawServer()
        try one.know([(MemberID(2), [server.url])])
        try server.accept().send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        let silent = try server.accept()
        try server.accept().answerHello(as: MemberID(2))
        #expect(try one.eventually { $0.links.isConnected(MemberID(2)) })
        _ = silent
        #expect(try one.onLoop { $0.record.notices.first?.member } == MemberID(2))
    }

    @Test("Golden bytes of hello, answer, frame, header and end")
    func golden() {
        let identity = PeerIdentity(
            cluster: MemberID(0x0102), member: MemberID(1), serverVersion: "3.4.23", minimumVersion: "3.0.0")
        let hello = Hello(.snapshot, from: identity, to: MemberID(2))
        let helloText =
            "0102" + "0201000000000000" + "0100000000000000" + "0200000000000000" + "06332e342e3233" + "05332e302e30"
        // What it understands besides comes last, and is missing in the hellos of earlier versions.
        let said = helloText + "07"
        #expect(String(decoding: Hello.preface, as: UTF8.self) == "ETCLITE/PEER/1\r\n" && Hello.preface.count == 16)
        let frame = Frame.wrap(.hello) { hello.encode(into: &$0) }
        #expect(hex(frame) == "29000000" + "66094a54" + "01" + said)
        let refusal = HelloRefusal(.senderRemoved, "gone")
        #expect(HelloReply(hello: hello, refusal: refusal).frame == bytes("02" + "03" + "04676f6e65" + said))
        #expect(
            HelloReply(bytes("02" + "03" + "04676f6e65" + said + "0a0b")) == HelloReply(hello: hello, refusal: refusal))
        #expect(HelloReply(hello: hello, refusal: nil).frame == bytes("02" + "00" + "00" + said))
        #expect(HelloReply(bytes("02" + "63" + "00" + helloText))?.refusal?.reason == .other)

        let header = SnapshotHeader(
            position: LogPosition(index: 300, term: 2), term: 5,
            configuration: Configuration(voters: [1, 2].map { MemberID($0) }),
            stateHash: "ab", bytes: 7)
        let headerText =
            "01" + "ac0202" + "05" + "0700000000000000" + "026162" + "02" + "0100000000000000" + "0200000000000000" + "00"
        var writer = ByteWriter()
        header.encode(into: &writer)
        #expect(writer.bytes == bytes(headerText))
        var reader = ByteReader(writer.bytes)
        #expect(SnapshotHeader(from: &reader) == header)
        writer = ByteWriter()
        SnapshotEnd(bytes: 7, checksum: 0x80).encode(into: &writer)
        #expect(writer.bytes == bytes("0700000000000000" + "8001"))
    }

    @Test("Texts of others cannot make lines of their own in a log, and lists cannot be endless")
    func hostileTexts() {
        var writer = ByteWriter()
        writer.write(Array("a\nb\u{1b}[2J\u{7f}é".utf8))
        var reader = ByteReader(writer.bytes)
        #expect(PeerText.read(from: &reader) == "a?b?[2J???")
        writer = ByteWriter()
        writer.write([UInt8](repeating: 0x61, count: PeerLimits.textBytesMax + 1))
        reader = ByteReader(writer.bytes)
        #expect(PeerText.read(from: &reader) == nil)
        for count: UInt64 in [1, 1025, .max] {
            writer = ByteWriter()
            writer.write(UInt8(1))
            for _ in 0..<3 { writer.writeVarint(1) }
            writer.write(UInt64(1))
            writer.write([])
            writer.writeVarint(count)
            reader = ByteReader(writer.bytes)
            #expect(SnapshotHeader(from: &reader) == nil)
        }
    }

    private func bytes(_ hex: String) -> [UInt8] {
        stride(from: 0, to: hex.utf8.count, by: 2).map { UInt8(String(Array(hex)[$0..<($0 + 2)]), radix: 16)! }
    }

    private func hex(_ buffer: ByteBuffer) -> String {
        buffer.readableBytesView.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
