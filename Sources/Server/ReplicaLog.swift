import Logging
import ReplicaHost

/// Writes the replica's notices as the log lines that etcd's users know (server.md §11).
struct ReplicaLog: Sendable {
    private let server = Logger(label: "etcdserver")
    private let membership = Logger(label: "etcdserver/membership")
    private let raft = Logger(label: "raft")
    private let node = Logger(label: "raft.node")
    private let storage = Logger(label: "storage")

    func write(_ notice: ReplicaNotice) {
        switch notice {
        case .founded(let member, let cluster): server.info("starting member \(member) in cluster \(cluster)")
        case .restarting(let member, let cluster, let commit):
            server.info("restarting member \(member) in cluster \(cluster) at commit index \(commit)")
        case .treeRebuilt(let index): storage.warning("tree.db was missing; it is made again from the log, from index \(index)")
        case .treeProven(let file):
            storage.warning("another program has written to \(file) since the last run; its contents are checked against the state hash")
        case .tornTail(let file, let frames):
            storage.warning("\(file) ends in \(frames) frames of a transaction that was never acknowledged; they are cut off")
        case .electionStarted(let member, let term): raft.info("\(member) is starting a new election at term \(term)")
        case .becameLeader(let member, let term):
            raft.info("\(member) became leader at term \(term)")
            node.info("\(member) elected leader \(member) at term \(term)")
        case .memberAdded(let member, let peerURLs, let cluster):
            membership.info("added member \(member) [\(peerURLs.joined(separator: " "))] to cluster \(cluster)")
        case .clusterVersionSet(let version):
            let short = version.split(separator: ".").prefix(2).joined(separator: ".")
            membership.notice("set the initial cluster version to \(short)")
            Logger(label: "etcdserver/api").info("enabled capabilities for version \(short)")
        case .published(let name, let clientURLs, let cluster):
            server.info("published {Name:\(name) ClientURLs:[\(clientURLs.joined(separator: " "))]} to cluster \(cluster)")
        case .logCut(let index): storage.info("cutting the log up to index \(index)")
        case .backupFailed(let reason): storage.error("a hot backup failed: \(reason)")
        case .diskFull: storage.error("no space left on the device: writes are refused until there is room")
        case .diskHasRoom: storage.notice("the device has room again: writes are accepted")
        }
    }
}
