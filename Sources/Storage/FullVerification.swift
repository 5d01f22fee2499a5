import Keyspace
import Raft
import SQLite
import Wire

/// Something that is wrong in a data directory.
package struct Finding: Equatable, Sendable, CustomStringConvertible {
    package let file: String
    /// Table, row, page or frame.
    package let place: String
    package let problem: String

    package init(file: String, place: String, problem: String) {
        self.file = file
        self.place = place
        self.problem = problem
    }

    package init(_ error: StorageError, file: String) {
        switch error {
        case .damaged(let file, let place, let reason): self.init(file: file, place: place, problem: reason)
        case .refused(let text), .diskFull(let text), .failed(let text): self.init(file: file, place: "the file", problem: text)
        }
    }

    package var description: String { "\(file): \(place): \(problem)" }
}

/// The full form of the verification: everything that is stored, looked at once. Nothing stops it; what is wrong is gathered.
///
/// - Log: the WAL's frames, SQLite's structure, the schema, the chain over every row, every payload decoded, the hard state.
/// - Tree: the checksum of every page, SQLite's structure, the schema, every node, the state hash, events, members.
/// - Both: positions, the identity, and the rest of the log applied. While the log reaches back to its beginning the whole tree
///   is made from it once more, in memory, and compared.
package final class FullVerification {
    package internal(set) var findings: [Finding] = []
    /// What is worth knowing and not wrong.
    package internal(set) var notes: [String] = []
    package internal(set) var entries: UInt64 = 0
    package internal(set) var nodes: UInt64 = 0
    package internal(set) var events: UInt64 = 0
    package internal(set) var applied: Index?
    package internal(set) var commit: Index?
    package internal(set) var first: Index?
    package internal(set) var last: Index?
    /// Counted from the stored nodes.
    package internal(set) var stateHash: StateHash?
    /// The tree was made from the log once more, and it was the same.
    package internal(set) var isProvenByLog = false

    let directory: DataDirectory
    let progress: ProgressReport?
    /// More of one kind than this says nothing new.
    static let findingsMax = 50

    package init(_ directory: DataDirectory, progress: ProgressReport? = nil) {
        self.directory = directory
        self.progress = progress
        lookAtWALs()
        // The tree's moment first: its position then lies within the log.
        let tree = attempt(directory.tree) { () throws(StorageError) in try openTree() } ?? nil
        let log = attempt(directory.log) { () throws(StorageError) in
            try directory.openToLook(directory.log, Schema.log)
        }
        let logIsSound = log.map { checkLog($0) } ?? false
        let treeIsSound = tree.map { checkTree($0) } ?? (FileOperations.kind(directory.tree) == nil)
        // Comparing what is known to be broken would only repeat it in other words.
        guard logIsSound, treeIsSound, let log else { return }
        attempt(directory.tree) { () throws(StorageError) in try checkTogether(log, tree) }
    }

    private func openTree() throws(StorageError) -> Connection? {
        guard FileOperations.kind(directory.tree) != nil else { return nil }
        if directory.mayLackPageChecksumsUnlocked {
            notes.append(
                "\(directory.tree): another program, such as a SQLite shell, was the last to write it, so its pages may lack "
                    + "their checksums; the state hash proves its nodes")
        }
        return try directory.openToLook(directory.tree, Schema.tree)
    }

    /// Runs a part; what it throws is a finding about `file`, unless it names another.
    @discardableResult
    func attempt<Value>(_ file: String, _ body: () throws(StorageError) -> Value) -> Value? {
        do { return try body() } catch {
            report(Finding(error, file: file))
            return nil
        }
    }

    func report(_ finding: Finding) {
        if findings.count < FullVerification.findingsMax, !findings.contains(finding) { findings.append(finding) }
    }

    func report(_ file: String, _ place: String, _ problem: String) {
        report(Finding(file: file, place: place, problem: problem))
    }

    private func lookAtWALs() {
        let isRunning = directory.holder != .nobody
        if isRunning { notes.append("a server is running here: the ends of the WAL files were not looked at") }
        for file in [directory.log, directory.tree] where !isRunning {
            let wal = file + "-wal"
            guard FileOperations.kind(wal) != nil else { continue }
            guard
                let verdict = attempt(
                    wal,
                    { () throws(StorageError) in
                        try FileOperations.requireFile(wal, followLinks: false)
                        return try WALFile.inspect(wal)
                    })
            else { continue }
            switch verdict {
            case .sound: break
            case .torn(_, let dropped):
                notes.append("\(wal): \(dropped) frames of an unfinished transaction at the end, which SQLite drops")
            case .damaged(let place, let reason):
                // The tree's WAL is not synced with each commit, so a machine that died may leave this; the log has it all.
                if file == directory.log {
                    report(wal, place, reason)
                } else {
                    notes.append("\(wal): \(place): \(reason); SQLite drops the rest, and the log has what it said")
                }
            }
        }
    }

    /// SQLite's own opinion. True when it has nothing to say.
    func checkStructure(_ connection: Connection) -> Bool {
        progress?("checking the structure of \(connection.path)", 0, nil)
        let problems = attempt(connection.path) { () throws(StorageError) in
            try storing { () throws(SQLiteError) in
                let rows = try connection.prepare("PRAGMA integrity_check(\(FullVerification.findingsMax))")
                var problems: [String] = []
                while try rows.step() { problems.append(rows.text(0)) }
                return problems
            }
        }
        guard let problems else { return false }
        for problem in problems where problem != "ok" { report(connection.path, "the structure", problem) }
        return problems == ["ok"]
    }

    func checkSchema(_ connection: Connection, _ catalogue: [Migration], allowing: Set<String> = []) {
        let difference = attempt(connection.path) { () throws(StorageError) in
            try Schema.compare(connection, catalogue, allowing: allowing)
        }
        for name in difference?.extra ?? [] { report(connection.path, "the schema, \(name)", "no migration makes it") }
    }
}
