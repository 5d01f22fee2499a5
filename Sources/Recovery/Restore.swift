import Keyspace
import Raft
import Storage
import Wire

/// Makes a data directory from a backup: a new cluster of one new member, with the keys of the old one.
package struct Restore: Sendable {
    package var name: String
    package var peerURLs: [String]
    /// Makes the identities; the same backup and the same token and URLs give the same ones. Two clusters restored from one
    /// backup must not share it.
    package var token: String
    /// Added to the v2 index: for a backup that is older than what clients of the lost cluster have seen.
    package var indexesSkipped: UInt64

    package init(name: String, peerURLs: [String], token: String, indexesSkipped: UInt64 = 0) {
        self.name = name
        self.peerURLs = peerURLs
        self.token = token
        self.indexesSkipped = indexesSkipped
    }

    package struct Report: Sendable {
        package let directory: String
        package let backup: BackupManifest
        package let identity: Identity
        /// Where the v2 index goes on.
        package let keysIndex: UInt64
    }

    package func run(_ file: String, into path: String) throws(RecoveryError) -> Report {
        try Looking.file(file)
        let source = try recovering { () throws(StorageError) in try BackupFile.verify(file) }
        let identity = try identity(from: source)
        let member = Member(id: identity.member, name: name, peerURLs: peerURLs)
        let manifest = try NewDirectory.build(
            path,
            { (directory: DataDirectory) throws(StorageError) in
                let manifest = try BackupFile.restore(
                    file, into: directory,
                    as: BackupFile.Restoration(identity: identity, member: member, indexesSkipped: indexesSkipped))
                guard manifest == source else { throw .refused("\(file) changed while it was restored") }
                return manifest
            }, pass: { Failpoint.pass("restore.before-rename") })
        return Report(
            directory: path, backup: manifest, identity: identity, keysIndex: manifest.keysIndex + indexesSkipped)
    }

    /// Digests of what makes this restoration different from others, the old identities among it.
    private func identity(from source: BackupManifest) throws(RecoveryError) -> Identity {
        let origin =
            "restored from a backup of member \(source.member) of cluster \(source.cluster) at index \(source.applied.index)"
        var digest = StateHash()
        digest.add(
            TreePath(clean: Array("\(source.cluster)/\(source.member)/\(source.stateHash)".utf8)),
            TreeNode(
                isDirectory: false, value: Array((peerURLs.sorted() + [token]).joined(separator: "\n").utf8),
                created: source.applied.index.value, modified: source.keysIndex))
        let (member, cluster) = (MemberID(digest.high), MemberID(digest.low))
        guard member != .none, cluster != .none, member != source.member, cluster != source.cluster, member != cluster else {
            throw .refused("this token gives an identity that is in use; choose another --initial-cluster-token")
        }
        return Identity(member: member, cluster: cluster, origin: origin)
    }
}
