import Keyspace
import Raft
import SQLite
import Wire

extension FullVerification {
    /// True when the tree can be read and is what it says it is.
    func checkTree(_ connection: Connection) -> Bool {
        checkSchema(connection, Schema.tree)
        guard checkStructure(connection) else { return false }
        let before = findings.count
        attempt(directory.tree) { () throws(StorageError) in
            let reader = try TreeReader(connection)
            let state = try reader.state()
            applied = state.applied.index
            try checkNodes(reader, state)
            try checkEvents(reader, state)
            _ = try reader.members()
        }
        return findings.count == before
    }

    private func checkNodes(_ reader: TreeReader, _ state: TreeState) throws(StorageError) {
        let file = directory.tree
        let progress = progress
        let summary = try TreeSummary(reader) { progress?("checking the tree", UInt64($0), nil) }
        nodes = UInt64(summary.nodes)
        stateHash = summary.hash
        for orphan in summary.orphans {
            report(file, "table nodes, \(orphan.text)", "its parent is missing or not a directory")
        }
        if summary.hash != state.hash {
            report(
                file, "table state, state_hash", "it says \(state.hash.hex), the nodes come to \(summary.hash.hex)")
        }
        var problems: [Finding] = []
        try reader.allNodes { (path: TreePath, node: TreeNode) throws(StorageError) in
            if let problem = FullVerification.problem(path, node, index: state.keysIndex) {
                problems.append(Finding(file: file, place: "table nodes, \(path.text)", problem: problem))
            }
            return problems.count < FullVerification.findingsMax
        }
        for problem in problems { report(problem) }
        if let problem = try ChangeValues.problem(reader) { report(file, "table change_values", problem) }
    }

    private static func problem(_ path: TreePath, _ node: TreeNode, index: UInt64) -> String? {
        if path.isRoot || !path.isClean || path.name.contains(UInt8(ascii: "/")) { return "its path is not clean" }
        if node.isDirectory, !node.value.isEmpty { return "a directory with a value" }
        if node.created > node.modified { return "created at \(node.created), modified before that at \(node.modified)" }
        if node.modified > index { return "modified at \(node.modified), but the tree is only at \(index)" }
        return nil
    }

    private func checkEvents(_ reader: TreeReader, _ state: TreeState) throws(StorageError) {
        events = UInt64(max(try reader.eventRange().count, 0))
        if let problem = try reader.problemOfEvents(state) { report(directory.tree, "table events", problem) }
        var problem: Finding?
        try reader.events(from: 0) { event in
            if !event.path.isClean {
                problem = Finding(
                    file: directory.tree, place: "table events, index \(event.index)", problem: "its path is not clean")
            }
            return problem == nil
        }
        if let problem { report(problem) }
    }

    /// What log and tree say of each other. A missing tree is made from the log.
    func checkTogether(_ logConnection: Connection, _ treeConnection: Connection?) throws(StorageError) {
        let reader = try DirectoryReader(directory, treeConnection: treeConnection, logConnection: logConnection)
        if !reader.hasTree { notes.append("\(directory.tree) is missing; a server makes it anew from the log") }
        let identity = reader.log.identity
        let start = try reader.tree.state()
        let current = try reader.currentTree(progress)
        if current.applied != start.applied {
            notes.append(
                "entries \(start.applied.index.next) to \(current.applied.index) are not in the tree yet; a server applies them at its start"
            )
        }
        let isMember = current.members.contains { $0.id == identity.member && !$0.isRemoved }
        if !isMember, !current.members.isEmpty {
            report(directory.log, "table identity, member_id", "\(identity.member) is not one of the cluster's members")
        }
        guard reader.hasTree, reader.log.cut == .origin else { return }
        try proveByLog(reader, start)
    }

    private func proveByLog(_ reader: DirectoryReader, _ state: TreeState) throws(StorageError) {
        let store = try TreeStore(":memory:", historyEvents: reader.historyEvents)
        let model = try store.reader()
        let applier = try EntryApplier(file: model, historyEvents: reader.historyEvents)
        try LogReplay.run(reader.log, applier, into: store, upTo: state.applied.index, progress: progress)
        guard store.state == state else {
            return report(
                directory.tree, "table state", "the log comes to \(store.state), the tree says \(state)")
        }
        guard try model.members() == reader.tree.members() else {
            return report(directory.tree, "table members", "they are not those of the log")
        }
        // A tree of before the bound in bytes may keep more of them.
        guard let stored = try reader.tree.oldestEvent() else {
            isProvenByLog = true
            return
        }
        guard let known = try model.oldestEvent() else {
            return report(directory.tree, "table events", "the log comes to none that are kept")
        }
        let oldest = max(stored, known)
        var expected: [UInt64: Event] = [:]
        try model.events(from: oldest) { event in
            expected[event.index] = event
            return true
        }
        var wrong: UInt64?
        try reader.tree.events(from: oldest) { event in
            if expected[event.index] != event { wrong = event.index }
            return wrong == nil
        }
        if let wrong { return report(directory.tree, "table events, index \(wrong)", "it is not what the log says") }
        isProvenByLog = true
    }
}
