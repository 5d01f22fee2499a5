/// `major.minor` of a server or of a cluster (cluster.md §10).
package struct ClusterVersion: Hashable, Comparable, Sendable {
    package let major: Int
    package let minor: Int

    /// The oldest cluster that this server can work in, and what a cluster is taken for while some of its members are unknown.
    package static let minimum = ClusterVersion(major: 3, minor: 0)

    package init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Of `3.4` or `3.4.23`; nil for anything else.
    package init?(_ text: String) {
        let numbers = text.split(separator: ".", omittingEmptySubsequences: false).map { part -> Int? in
            part.isEmpty || part.utf8.contains { !(0x30...0x39).contains($0) } ? nil : Int(part)
        }
        guard (2...3).contains(numbers.count), let major = numbers[0], let minor = numbers[1], !numbers.contains(nil) else { return nil }
        self.init(major: major, minor: minor)
    }

    /// As clusters write it: `3.4.0`.
    package var text: String { "\(major).\(minor).0" }

    package static func < (left: ClusterVersion, right: ClusterVersion) -> Bool { (left.major, left.minor) < (right.major, right.minor) }

    /// What the leader makes the version of the cluster: that of the oldest member, never less than it is.
    ///
    /// - Parameters:
    ///   - members: the server of each; nil: it cannot be asked now. That blocks raising, for it may be old.
    ///   - present: nil: none is decided.
    /// - Returns: nil: it stays as it is.
    package static func decide(members: [String?], present: String) -> ClusterVersion? {
        let servers = members.map { $0.flatMap { ClusterVersion($0) } }
        let oldest = servers.contains(nil) ? nil : servers.compactMap { $0 }.min()
        guard let present = ClusterVersion(present) else { return oldest ?? minimum }
        guard let oldest, oldest > present else { return nil }
        return oldest
    }
}
