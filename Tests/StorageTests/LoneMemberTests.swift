import Raft
import Storage
import TestSupport
import Testing
import Wire

@Suite("A member that goes on alone")
struct LoneMemberTests {
    private let directory: TemporaryDirectory
    private let path: String
    private let own = MemberID(0xa)

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("log.db")
    }

    private func member(_ id: UInt64, isLearner: Bool = false) -> Member {
        Member(id: MemberID(id), peerURLs: ["http://h\(id):2380"], isLearner: isLearner)
    }

    /// A log with these changes in it, all but the last `unknown` of which are known to be committed.
    private func log(_ changes: [MembershipChange], unknown: Int = 0) throws -> LogStore {
        try LogStore.join(path, identity: Identity(member: own, cluster: MemberID(0xc), origin: "test"))
        let store = try LogStore(path)
        let entries = changes.enumerated().map {
            LogEntry(index: Index(UInt64($0 + 1)), term: 3, payload: MembershipCodec.encode($1, time: 0, request: 0))
        }
        try store.write(HardState(term: 7, vote: MemberID(0xb), commit: Index(UInt64(changes.count - unknown))), entries)
        return store
    }

    private func changes(in store: LogStore, behind index: Index) throws -> [MembershipChange] {
        try store.entries(after: index, limit: 100).compactMap { MembershipCodec.decode($0.payload) }
    }

    @Test("All others are removed, those too whose addition was never committed; all of it is committed, in a term that is new")
    func removesOthers() throws {
        let store = try log([.add(member(0xa)), .add(member(0xb)), .add(member(0xc)), .remove(MemberID(0xb)), .add(member(0xd))], unknown: 2)
        #expect(try store.leaveOthers(members: [], applied: 0, peerURLs: []))
        #expect(try changes(in: store, behind: 5) == [.remove(MemberID(0xc)), .remove(MemberID(0xd))])
        #expect(store.hardState == HardState(term: 8, vote: own, commit: 7))
        #expect(try store.entries(after: 5, limit: 2).allSatisfy { $0.term == 8 })
        // Nobody is left to be removed.
        #expect(try !store.leaveOthers(members: [], applied: 0, peerURLs: []))
        #expect(store.tail.position.index == 7)
    }

    @Test("What is applied already counts, and so do void entries: not at all")
    func countsFromApplied() throws {
        let applied = [member(0xa), member(0xb)]
        let store = try log([.add(member(0xa)), .add(member(0xb))])
        let void = MembershipCodec.voided(MembershipCodec.encode(.add(member(0xe)), time: 0, request: 0))
        try store.write(nil, [LogEntry(index: 3, term: 3, payload: void)])
        #expect(try store.leaveOthers(members: applied, applied: 2, peerURLs: []))
        #expect(try changes(in: store, behind: 3) == [.remove(MemberID(0xb))])
    }

    @Test("A learner becomes a voter first, and one that its log does not know is added")
    func becomesVoter() throws {
        let store = try log([.add(member(0xb)), .add(member(0xa, isLearner: true))])
        #expect(try store.leaveOthers(members: [], applied: 0, peerURLs: []))
        #expect(try changes(in: store, behind: 2) == [.add(member(0xa)), .remove(MemberID(0xb))])
        try store.close()
        try FileOperations.remove(path)
        let empty = try log([])
        #expect(try empty.leaveOthers(members: [], applied: 0, peerURLs: ["http://own:2380"]))
        #expect(try changes(in: empty, behind: 0) == [.add(Member(id: own, peerURLs: ["http://own:2380"]))])
    }

    @Test("A member that was removed stays removed")
    func staysRemoved() throws {
        let store = try log([.add(member(0xa)), .add(member(0xb)), .remove(own)])
        let error = try #require(throws: StorageError.self) { try store.leaveOthers(members: [], applied: 0, peerURLs: []) }
        #expect(error.description.contains("was removed"))
        #expect(store.tail.position.index == 3)
    }
}
