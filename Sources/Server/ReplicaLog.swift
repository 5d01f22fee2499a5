import Logging
import PeerTransport
import Raft
import ReplicaHost
import Synchronization

/// Writes the replica's notices as the log lines that etcd's users know (server.md §11).
final class ReplicaLog: Sendable {
    private let server = Logger(label: "etcdserver")
    private let membership = Logger(label: "etcdserver/membership")
    private let raft = Logger(label: "raft")
    private let node = Logger(label: "raft.node")
    private let peers = Logger(label: "rafthttp")
    private let storage = Logger(label: "storage")
    /// Whom the next line about leaders says to be gone.
    private let leader = Mutex<MemberID?>(nil)

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
        case .core(let member, let one): write(one, of: member)
        case .peer(let one):
            switch one.severity {
            case .info: peers.info("\(one.text)")
            case .warning: peers.warning("\(one.text)")
            case .error: peers.error("\(one.text)")
            }
        case .accessEnabled(let guestsMayDoEverything):
            server.notice("auth: enabled auth")
            if guestsMayDoEverything {
                server.warning(
                    "requests without a user may still read and write everything: the role guest has /*; revoke that when all clients name a user")
            }
        case .accessDisabled: server.notice("auth: disabled auth")
        case .changeRefused(let reason): server.warning("rejecting the member change: \(reason)")
        case .joining(let member, let cluster): server.info("starting member \(member) in cluster \(cluster)")
        case .forcedAlone(let member, let cluster, let commit, let isNews):
            if isNews { server.notice("forcing restart of member \(member) in cluster \(cluster) at commit index \(commit)") }
            server.warning(
                "this member is the only one of its cluster, by --force-new-cluster; start it without that flag from now on, or it will remove again whoever is added"
            )
        case .memberRemoved(let member, let cluster): membership.info("removed member \(member) from cluster \(cluster)")
        case .removed:
            server.error("the member has been permanently removed from the cluster")
            server.error("the data-dir used by this member must be removed.")
        case .memberAdded(let member, let peerURLs, let cluster):
            membership.info("added member \(member) [\(peerURLs.joined(separator: " "))] to cluster \(cluster)")
        case .clusterVersionSet(let version, let before):
            let short = Self.short(version)
            membership.notice(
                before.isEmpty
                    ? "set the initial cluster version to \(short)"
                    : "updated the cluster version from \(Self.short(before)) to \(short)")
            Logger(label: "etcdserver/api").info("enabled capabilities for version \(short)")
        case .published(let name, let clientURLs, let cluster):
            server.info("published {Name:\(name) ClientURLs:[\(clientURLs.joined(separator: " "))]} to cluster \(cluster)")
        case .logCut(let index): storage.info("cutting the log up to index \(index)")
        case .backupFailed(let reason): storage.error("a hot backup failed: \(reason)")
        case .longReadFailed(let reason): storage.warning("a large listing, or a look into the history, failed: \(reason)")
        case .snapshotFailed(let reason): storage.warning("a snapshot failed: \(reason)")
        case .snapshotInstalling(let index): raft.info("applying snapshot at index \(index)...")
        case .snapshotInstalled(let index): raft.info("raft applied incoming snapshot at index \(index)")
        case .readerInTheWay(let file, let bytes, let holders, let bytesMax):
            let who = holders.isEmpty ? "another program" : holders.joined(separator: ", ")
            storage.warning(
                "\(file)-wal has grown to \(bytes >> 20) MiB because \(who) keeps a read transaction on \(file) open; end it. At \(bytesMax >> 20) MiB the server goes on with a copy of the file, and leaves the old one to the reader")
        case .fileReplaced(let file):
            storage.warning(
                "the server goes on with a copy of \(file): a reader has kept the WAL of the old file from being reset. The old one has no name any more and takes room on the disk until the reader ends")
        case .replacementFailed(let file, let reason):
            storage.warning("\(file) cannot be copied to leave the old file to its reader, so its WAL goes on growing: \(reason)")
        case .diskFull: storage.error("no space left on the device: writes are refused until there is room")
        case .diskHasRoom: storage.notice("the device has room again: writes are accepted")
        }
    }

    private static func short(_ version: String) -> String { version.split(separator: ".").prefix(2).joined(separator: ".") }

    private func write(_ one: CoreNotice, of member: MemberID) {
        switch one {
        case .preVoteStarted(let term): raft.info("\(member) is starting a new election at term \(term)")
        case .electionStarted(let term): raft.info("\(member) became candidate at term \(term)")
        case .becameLeader: break
        case .becameFollower(let term, _): raft.info("\(member) became follower at term \(term)")
        case .leaderChanged(let term, let new):
            let old = leader.withLock { leader in
                defer { leader = new == .none ? nil : new }
                return leader
            }
            if let old, new != old { node.info("\(member) lost leader \(old) at term \(term)") }
            // That it leads itself `becameLeader` has said.
            if new != .none, new != member { node.info("\(member) elected leader \(new) at term \(term)") }
        case .lostQuorum(let term): raft.warning("\(member) stepped down to follower at term \(term) since quorum is not active")
        case .configurationChanged(let configuration, let index):
            let voters = configuration.voters.map(\.description).joined(separator: " ")
            raft.info("\(member) switched to configuration voters=(\(voters)) at index \(index)")
        case .transferStarted(let target): raft.info("\(member) starts leadership transfer to \(target)")
        case .transferFailed(let target): raft.warning("\(member) gave up the leadership transfer to \(target)")
        }
    }
}
