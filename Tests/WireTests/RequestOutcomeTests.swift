import Keyspace
import Raft
import Testing
import Wire

@Suite("What came of a request, as bytes")
struct RequestOutcomeTests {
    private static let file = TreeNode(isDirectory: false, value: [1, 2, 3], created: 7, modified: 9, expiration: -5)
    private static let directory = TreeNode(isDirectory: true, created: 1, modified: 1)

    static let events: [RequestOutcome] = Event.Action.allCases.map { (action: Event.Action) -> RequestOutcome in
        .event(Event(action, index: 300, path: TreePath("/a/b"), node: file, previous: directory, time: -1, isRefresh: action == .update))
    }

    static let refusals: [Refusal] = [
        .keyNotFound(TreePath("/a")), .notAFile(TreePath("/a")), .notAFile(nil), .notADirectory(TreePath("/a")), .keyAlreadyExists(TreePath("/a")), .rootIsReadOnly,
        .directoryNotEmpty(TreePath("/a")), .compareFailed(value: nil, index: nil),
        .compareFailed(value: Refusal.Mismatch(given: [1], actual: []), index: nil),
        .compareFailed(value: nil, index: Refusal.Mismatch(given: 300, actual: 1)),
        .compareFailed(value: Refusal.Mismatch(given: [1], actual: [2]), index: Refusal.Mismatch(given: 3, actual: 4)),
    ]

    static var all: [RequestOutcome] {
        var all = events
        all.append(.event(Event(.create, index: 1, path: TreePath("/c"), node: directory, previous: nil, time: 5)))
        for refusal in refusals { all.append(.refused(refusal, index: 300)) }
        return all + [.denied, .diskFull]
    }

    @Test("Each comes back as it went, and any shorter is none", arguments: all)
    func roundTrip(outcome: RequestOutcome) {
        let message = PeerMessage.outcome(from: MemberID(1), to: MemberID(2), term: 3, request: 4, outcome)
        var writer = ByteWriter()
        PeerMessageCodec.encode(message, into: &writer)
        #expect(PeerMessageCodec.decode(writer.bytes) == [message])
        #expect(PeerMessageCodec.sizeMax(of: message) >= writer.count)
        for count in 1..<writer.count { #expect(PeerMessageCodec.decode(Array(writer.bytes[..<count])) == nil, "\(count)") }
    }
}
