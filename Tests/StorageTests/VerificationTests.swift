import Glibc
import Raft
import SQLite
import Storage
import TestSupport
import Testing
import Wire

@Suite("What holds between log and tree, checked at every start")
struct VerificationTests {
    private let directory: TemporaryDirectory
    private let log: LogStore

    init() throws {
        directory = try TemporaryDirectory()
        let path = directory.file("log.db")
        try Logs.createSmall(path)
        log = try LogStore(path)
        try log.write(nil, Logs.entries(1...10, term: 1) + Logs.entries(11...20, term: 2))
    }

    /// A tree that has applied the entries given.
    private func tree(_ entries: [LogEntry]) throws -> TreeStore {
        let bench = try TreeBench(directory.file("tree.db"))
        for entry in entries { _ = try bench.applier.apply(entry) }
        try bench.flush()
        return bench.store
    }

    private func place(_ tree: TreeStore) -> String? {
        do {
            try Verification.quick(log: log, tree: tree)
            return nil
        } catch .damaged(let file, let place, _) {
            #expect(file == directory.file("tree.db"))
            return place
        } catch {
            return "\(error)"
        }
    }

    @Test("A tree that is behind, or just there, or empty, is well", arguments: [0, 1, 10, 11, 20])
    func behind(applied: UInt64) throws {
        let entries = Logs.entries(1...10, term: 1) + Logs.entries(11...20, term: 2)
        #expect(place(try tree(Array(entries.prefix(Int(applied))))) == nil)
    }

    @Test("A tree that knows more than the log: the log has lost entries")
    func ahead() throws {
        let entries = Logs.entries(1...10, term: 1) + Logs.entries(11...21, term: 2)
        #expect(place(try tree(entries)) == "table state, applied_index")
    }

    @Test("A tree of another history: the terms differ where they meet")
    func otherTerm() throws {
        #expect(place(try tree(Logs.entries(1...15, term: 1))) == "table state, applied_term")
    }

    @Test("A tree that ends before the log begins cannot be brought up to date; one that ends where it was cut can")
    func cut() throws {
        _ = try log.cutStep(upTo: 5)
        #expect(place(try tree(Logs.entries(1...4))) == "table state, applied_index")
        try FileOperations.remove(directory.file("tree.db"))
        try FileOperations.remove(directory.file("tree.db-wal"))
        try FileOperations.remove(directory.file("tree.db-shm"))
        #expect(place(try tree(Logs.entries(1...5))) == nil)
    }
}

@Suite("The data directory")
struct DataDirectoryTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("deep/er/data")
    }

    private func refusal(_ path: String) -> String? {
        do {
            let data = DataDirectory(path: path)
            _ = try data.openForServing()
            return nil
        } catch .refused(let text) { return text } catch { return "not a refusal: \(error)" }
    }

    @Test("Made with its parents, for its owner only, and emptied of unfinished copies")
    func made() throws {
        let data = DataDirectory(path: path + "///")
        #expect(data.path == path)
        #expect(!data.isInitialised)
        #expect(try data.openForServing() == [])
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o700)
        #expect(data.log == path + "/member/log.db" && data.tree == path + "/member/tree.db")
        try Files.write([1], to: data.transfer + "/backup-1.partial")
        try Files.write([1], to: path + "/stray")
        data.unlock(isClean: true)
        #expect(try data.openForServing() == ["stray"])
        #expect(!FileOperations.exists(data.transfer + "/backup-1.partial"))
        #expect(FileOperations.exists(path + "/stray"), "what is not ours is not touched")
        #expect(throws: StorageError.self) { try data.requireMember() }
        try Logs.createSmall(data.log)
        #expect(data.isInitialised)
        try TreeBench(data.tree).close()
        try data.requireMember()
    }

    @Test("The second process is refused and told who the first is; afterwards it may")
    func locked() throws {
        var first: DataDirectory? = DataDirectory(path: path)
        _ = try first?.openForServing()
        let text = try #require(refusal(path))
        #expect(text.contains("in use by process \(getpid())"), "\(text)")
        #expect(text.contains(path))
        #expect(refusal(path) != nil, "the one that was refused has not taken it away")
        first = nil
        #expect(refusal(path) == nil)
    }

    @Test("Directories of others are refused, with a word on what to do", arguments: ["member/wal", "member/snap"])
    func foreign(name: String) throws {
        try FileOperations.makeDirectories(path + "/" + name)
        let text = try #require(refusal(path))
        #expect(text.contains("belongs to etcd") && text.contains("--data-dir"))
        #expect(!FileOperations.exists(path + "/member/lock"))
    }

    @Test("A proxy's directory beside a member's is refused with etcd's words")
    func proxy() throws {
        try FileOperations.makeDirectories(path + "/proxy")
        #expect(refusal(path) == nil)
        #expect(refusal(path) == "invalid datadir. Both member and proxy directories exist.")
    }

    @Test("A path that is a file, or below one, is refused and named")
    func file() throws {
        let file = directory.file("file")
        try Files.write([1], to: file)
        #expect(try #require(refusal(file)).contains(file))
        #expect(try #require(refusal(file + "/data")).contains(file))
    }

    @Test("A directory that this user may not write to is refused", .enabled(if: geteuid() != 0, "root may write everywhere"))
    func readOnly() throws {
        try FileOperations.makeDirectories(path + "/member")
        chmod(path + "/member", 0o500)
        defer { chmod(path + "/member", 0o700) }
        #expect(try #require(refusal(path)).contains("cannot write to member directory"))
    }
}
