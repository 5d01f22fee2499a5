/// How etcd names members and clusters: unsigned 64-bit numbers that follow from URLs (cluster.md §2).
/// The same flags give the same identities here, so that documents and scripts stay true.
package enum MemberIdentity {
    /// - Parameters:
    ///   - peerURLs: as given, host names unresolved, in any order.
    ///   - clusterName: the initial cluster token, or the discovery URL; empty for a member added at run time.
    ///   - time: Unix seconds, for a member added at run time only.
    package static func member(peerURLs: [String], clusterName: String, time: Int64? = nil) -> UInt64 {
        let text = peerURLs.sorted().joined() + clusterName + (time.map { String($0) } ?? "")
        return head(Array(text.utf8))
    }

    /// - Parameter members: the identities of all founding members, in any order.
    package static func cluster(members: [UInt64]) -> UInt64 {
        head(members.sorted().flatMap { SHA1.bigEndian($0, count: 8) })
    }

    /// Lower case hexadecimal without leading zeros, as everywhere in etcd's output.
    package static func text(_ identity: UInt64) -> String { String(identity, radix: 16) }

    private static func head(_ message: [UInt8]) -> UInt64 {
        SHA1.digest(message).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
