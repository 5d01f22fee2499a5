import Keyspace
import Raft
import SQLite
import Wire

extension FullVerification {
    /// True when the log can be read from its beginning to its end.
    func checkLog(_ connection: Connection) -> Bool {
        // A crash while a directory was made may leave the table that gave the WAL its size; it does no harm.
        checkSchema(connection, Schema.log, allowing: ["table growth"])
        guard checkStructure(connection) else { return false }
        let file = connection.path
        let before = findings.count
        attempt(file) { () throws(StorageError) in
            let log = try LogContents(connection)
            let chain = try walk(log)
            first = chain.entries == 0 ? nil : log.cut.position.index.next
            (entries, last, commit) = (chain.entries, chain.tail.position.index, log.hardState.commit)
            for finding in chain.findings { report(finding) }
            let behind = try storing { () throws(SQLiteError) in
                let before = try connection.prepare("SELECT count(*) FROM log WHERE \"index\" <= ?")
                try before.bind(1, Int64(clamping: log.cut.position.index.value))
                defer { before.reset() }
                return try before.step() ? before.integer(0) : 0
            }
            if behind > 0 {
                report(file, "table log", "\(behind) entries lie before the cut at \(log.cut.position.index)")
            }
            try log.requireHardState(fits: chain.tail)
        }
        return findings.count == before
    }

    private struct Chain {
        var tail: ChainLink
        var entries: UInt64 = 0
        var findings: [Finding] = []
    }

    private func walk(_ log: LogContents) throws(StorageError) -> Chain {
        var chain = Chain(tail: log.cut)
        try log.visit(from: log.cut) { (entry: LogEntry, checksum: UInt32) throws(StorageError) in
            chain.tail = ChainLink(position: entry.position, checksum: checksum)
            chain.entries += 1
            if let problem = FullVerification.problem(entry.payload), chain.findings.count < FullVerification.findingsMax {
                chain.findings.append(
                    Finding(file: directory.log, place: "table log, index \(entry.index)", problem: problem))
            }
            if chain.entries % 10_000 == 0 { progress?("checking the chain", chain.entries, nil) }
            return true
        }
        return chain
    }

    /// Why a member could not apply the entry; nil when it can.
    private static func problem(_ payload: EntryPayload) -> String? {
        switch EntryKind(rawValue: payload.kind) {
        case .empty: return nil
        case .keys:
            guard let command = CommandCodec.decode(payload) else { return "a keys entry of an unknown form" }
            return command.path.isClean ? nil : "its path is not clean: \(command.path.text)"
        case .membership:
            return MembershipCodec.decode(payload) == nil ? "a membership entry of an unknown form" : nil
        case .access: return AccessCodec.decode(payload) == nil ? "an access entry of an unknown form" : nil
        case nil: return "kind \(payload.kind), which this version does not know"
        }
    }
}

extension TreePath {
    /// No empty, `.` or `..` segment, and a slash before each.
    var isClean: Bool {
        if bytes.isEmpty { return true }
        let segments = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return segments.first?.isEmpty == true
            && segments.dropFirst().allSatisfy { !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }
    }
}
