import Foundation
import Keyspace
import Raft
import Recovery
import Storage
import Testing

@Suite("Looking into a data directory")
struct InspectionTests {
    @Test("Status says what a server would say after a start, the end of the log included", arguments: [false, true])
    func status(killed: Bool) throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"), .init(killed: killed))
        let before = contents(sample.path)
        let status = try DirectoryStatus(sample.path)
        #expect(status.identity.member == SampleDirectory.member)
        #expect(status.identity.cluster == SampleDirectory.cluster)
        #expect(status.stored == 260)
        #expect(status.applied == LogPosition(index: 300, term: 3))
        #expect(status.first == 1)
        #expect(status.last == 300)
        #expect(status.entries == 300)
        #expect(status.term == 3)
        #expect(status.keysIndex == sample.model.index)
        #expect(status.stateHash == sample.hash)
        #expect(status.nodes == UInt64(sample.model.table.count))
        #expect(status.directories == UInt64(sample.model.table.all.count { $0.node.isDirectory }))
        #expect(status.events == sample.model.index)
        #expect(status.holder == .nobody)
        #expect(status.lastTime == SampleDirectory.startTime + 300_000_000_000)
        #expect(status.members.map(\.name) == ["default"])
        #expect(contents(sample.path) == before)
    }

    @Test("Status names the pid of the process that holds the lock")
    func lockHolder() throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        let server = sample.directory
        _ = try server.openForServing()
        #expect(sample.directory.holder == .process(Int(ProcessInfo.processInfo.processIdentifier)))
        server.unlock()
        #expect(sample.directory.holder == .nobody)
    }

    @Test("ls and get show the tree with the end of the log applied", arguments: [1, 2, 3, 4, 5] as [UInt64])
    func tree(seed: UInt64) throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"), .init(seed: seed))
        let listing = try TreeListing(sample.path)
        var found = MemoryNodeTable()
        try listing.visit(.root, recursive: true, hidden: true) { path, node in found.put(node, at: path) }
        #expect(found == sample.model.table)
        for (path, node) in sample.model.table.all { #expect(try listing.node(at: path) == node) }
        var shown: [TreePath] = []
        try listing.visit(.root, recursive: false, hidden: false) { path, _ in shown.append(path) }
        #expect(shown == sample.model.table.children(of: .root).map(\.path).filter { !$0.isHidden })
        #expect(throws: RecoveryError.self) {
            try listing.visit(TreePath("/nothing"), recursive: false, hidden: false) { _, _ in }
        }
    }

    @Test("A lost tree is no loss while the log has everything")
    func lostTree() throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"))
        try FileManager.default.removeItem(atPath: sample.directory.tree)
        try? FileManager.default.removeItem(atPath: sample.directory.tree + "-wal")
        #expect(try DirectoryStatus(sample.path).stateHash == sample.hash)
        let cut = try SampleDirectory(place("cut"), .init(cut: 100))
        try FileManager.default.removeItem(atPath: cut.directory.tree)
        #expect(throws: RecoveryError.self) { try DirectoryStatus(cut.path) }
    }

    @Test("The log is listed by index, key and time")
    func log() throws {
        let place = Workplace()
        let sample = try SampleDirectory(place("d"), .init(cut: 50))
        func indexes(_ listing: LogListing) throws -> [UInt64] {
            var indexes: [UInt64] = []
            try listing.visit(sample.path) { line in
                indexes.append(line.entry.index.value)
                return true
            }
            return indexes
        }
        #expect(try indexes(LogListing()) == Array(51...300))
        #expect(try indexes(LogListing(from: 0, to: 52)) == [51, 52])
        #expect(try indexes(LogListing(from: 290)) == Array(290...300))
        #expect(try indexes(LogListing(from: 301)) == [])
        #expect(try indexes(LogListing(from: UInt64.max, to: UInt64.max)) == [])
        #expect(try indexes(LogListing(from: 60, to: 70)) == Array(60...70))
        #expect(try indexes(LogListing(since: SampleDirectory.startTime + 299_000_000_000)) == [299, 300])
        var paths: Set<[UInt8]> = []
        try LogListing(pathPrefix: Array("/a".utf8)).visit(sample.path) { line in
            paths.insert(line.entry.payload.path)
            #expect(line.kind == "keys")
            return true
        }
        #expect(!paths.isEmpty && paths.allSatisfy { $0.starts(with: Array("/a".utf8)) })
    }

    @Test("Times are written as RFC 3339 and read back")
    func times() {
        #expect(TimeText.format(0) == "1970-01-01T00:00:00.000000000Z")
        #expect(TimeText.format(1_709_210_096_123_456_789) == "2024-02-29T12:34:56.123456789Z")
        #expect(TimeText.format(-1) == "1969-12-31T23:59:59.999999999Z")
        for time in [Int64.min, .max, 0, 951_782_400_000_000_000] where time > .min / 2 {
            #expect(TimeText.parse(TimeText.format(time), now: 0) == time)
        }
        _ = TimeText.format(.min)
        #expect(TimeText.parse("2024-02-29", now: 0) == 1_709_164_800_000_000_000)
        #expect(TimeText.parse("2024-02-29T12:00:00+02:00", now: 0) == 1_709_200_800_000_000_000)
        #expect(TimeText.parse("2h30m", now: 9_000_000_000_000) == 0)
        for text in [
            "", "x", "5", "5y", "2024-13-01", "9999-01-01", "99999999999999999999s", "2024-02-29T1", "9223372036854775807d",
        ] {
            #expect(TimeText.parse(text, now: 0) == nil, "\(text)")
        }
    }

    @Test("What is not a data directory is refused by name")
    func strangers() throws {
        let place = Workplace()
        func kind(_ path: String) -> String {
            do {
                _ = try DirectoryStatus(path)
                return "opened"
            } catch {
                guard error.description.contains(path) else { return error.description }
                switch error {
                case .cannotLook: return "cannot look"
                case .refused: return "refused"
                }
            }
        }
        #expect(kind(place("missing")) == "cannot look")
        _ = FileManager.default.createFile(atPath: place("file"), contents: Data())
        #expect(kind(place("file")) == "cannot look")
        try FileManager.default.createDirectory(atPath: place("empty"), withIntermediateDirectories: true)
        #expect(kind(place("empty")) == "refused")
        try FileManager.default.createDirectory(atPath: place("etcd/member/wal"), withIntermediateDirectories: true)
        #expect(kind(place("etcd")) == "refused")
    }
}
