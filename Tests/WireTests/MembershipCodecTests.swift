import Raft
import TestSupport
import Testing
import Wire

@Suite("Changes of the cluster in the log")
struct MembershipCodecTests {
    private static let id = MemberID(0x8e9e_05c5_2164_694d)

    private static func encode(_ change: MembershipChange) -> EntryPayload {
        MembershipCodec.encode(change, time: 7, request: 8)
    }

    @Test(
        "Golden text, which a shell reads too",
        arguments: [
            (
                MembershipChange.add(
                    Member(
                        id: id, name: "a b", peerURLs: ["http://h:2380", "http://i:2380"], clientURLs: ["http://h:2379"],
                        isLearner: true)),
                UInt8(1), "/8e9e05c52164694d", "name a b\npeer http://h:2380\npeer http://i:2380\nclient http://h:2379\nlearner"
            ),
            (.add(Member(id: MemberID(0xab), peerURLs: ["http://h:2380"])), 1, "/ab", "peer http://h:2380"),
            (.remove(id), 2, "/8e9e05c52164694d", ""),
            (.update(id, peerURLs: ["http://j:1"]), 3, "/8e9e05c52164694d", "peer http://j:1"),
            (.publish(id, name: "n", clientURLs: ["http://h:2379"]), 4, "/8e9e05c52164694d", "name n\nclient http://h:2379"),
            (.clusterVersion("3.4.0"), 5, "", "version 3.4.0"),
        ])
    func golden(change: MembershipChange, operation: UInt8, path: String, text: String) {
        let payload = Self.encode(change)
        #expect(payload.kind == EntryKind.membership.rawValue)
        #expect(payload.version == 1)
        #expect(payload.operation == operation)
        #expect(String(decoding: payload.path, as: UTF8.self) == path)
        #expect(String(decoding: payload.value, as: UTF8.self) == text)
        #expect(payload.time == 7 && payload.request == 8 && payload.options.isEmpty && payload.client.isEmpty)
        #expect(MembershipCodec.decode(payload) == change)
    }

    @Test("A name with a line break cannot say anything else of the member")
    func lineBreakInAName() {
        let change = MembershipChange.publish(Self.id, name: "x\nlearner\npeer http://evil:1", clientURLs: ["http://h:2379"])
        #expect(
            MembershipCodec.decode(Self.encode(change))
                == .publish(Self.id, name: "x learner peer http://evil:1", clientURLs: ["http://h:2379"]))
    }

    @Test("Names of blanks, and none at all, come back", arguments: ["", " ", "  two", "ünïcode 日本", "tail "])
    func oddNames(name: String) {
        let change = MembershipChange.publish(Self.id, name: name, clientURLs: ["http://h:2379"])
        #expect(MembershipCodec.decode(Self.encode(change)) == change)
    }

    @Test("Damaged paths, words, operations and versions are refused")
    func refused() {
        let good = Self.encode(.remove(Self.id))
        for path in ["", "/", "8e9e", "/xyz", "/0", "/8e9e05c52164694d0", "/-1"] {
            var payload = good
            payload.path = Array(path.utf8)
            #expect(MembershipCodec.decode(payload) == nil, "\(path)")
        }
        for change: (inout EntryPayload) -> Void in [
            { $0.value = Array("role king".utf8) }, { $0.operation = 0 }, { $0.operation = 6 }, { $0.version = 2 },
            { $0.kind = 1 },
        ] {
            var payload = good
            change(&payload)
            #expect(MembershipCodec.decode(payload) == nil, "\(payload)")
        }
    }

    @Test("Any bytes are a change or nothing, never a trap", arguments: 1...20)
    func hostile(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            var payload = Self.encode(
                .add(Member(id: Self.id, name: "n", peerURLs: ["http://h:2380"], clientURLs: ["http://h:1"])))
            payload.operation = UInt8.random(in: 0...6, using: &generator)
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let place = Int.random(in: payload.value.indices, using: &generator)
                payload.value[place] = [0, 10, 32, 0xff, 0x80].randomElement(using: &generator) ?? 0
            }
            if Bool.random(using: &generator) {
                payload.path = (0..<Int.random(in: 0...20, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
            }
            _ = MembershipCodec.decode(payload)
        }
    }
}
