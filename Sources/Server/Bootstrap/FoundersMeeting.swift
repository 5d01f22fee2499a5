import NIOCore

/// The founders of a cluster look at each other before any of them makes a log.
///
/// One that has been a member and has lost its data directory looks like a founder, and must not vote once more under its old
/// identity (cluster.md §3). The others know it by its client URLs. So a founder waits until so many others have answered that
/// they are a majority with it: without them there would be no leader anyway.
struct FoundersMeeting: Sendable {
    let founding: Founding
    let ask: PeerQuestions
    let said: @Sendable (String) -> Void

    /// Of the others, how many must have been asked.
    var needed: Int { founding.members.count / 2 }

    private var others: [Founding.Member] { founding.members.filter { $0.id != founding.localID } }

    /// Returns when the cluster may be founded.
    ///
    /// - Throws: `StartupFailure` when one of the others says what forbids it; `CancellationError`.
    func hold() throws {
        var round = 0
        while try !judge(ask.wait { await answersOfAll() }, isFirst: round == 0) {
            round += 1
            // Founders usually start within a moment, and clients wait; later nobody is in a hurry.
            try ask.pause(milliseconds: round < 100 ? 20 : 250)
        }
    }

    /// Whether enough have answered.
    func judge(_ answers: [(url: String, cluster: RunningCluster)], isFirst: Bool) throws(StartupFailure) -> Bool {
        var ours = 0
        for (url, cluster) in answers {
            guard cluster.clusterID == founding.clusterID else {
                let mismatch =
                    "the member at \(url) is of cluster \(MemberIdentity.text(cluster.clusterID)), not of "
                    + MemberIdentity.text(founding.clusterID)
                guard cluster.isFounded else {
                    if isFirst { said(mismatch + ": --initial-cluster or --initial-cluster-token differ") }
                    continue
                }
                throw .fatal(
                    mismatch + "; to found one with it, use the same --initial-cluster and --initial-cluster-token, "
                        + "to join it, add this member there and use --initial-cluster-state existing")
            }
            try requireUnpublished(in: cluster, at: url)
            ours += 1
        }
        if isFirst, ours < needed { said("waiting for a majority of the \(founding.members.count) members of the new cluster") }
        return ours >= needed
    }

    private func requireUnpublished(in cluster: RunningCluster, at url: String) throws(StartupFailure) {
        let id = MemberIdentity.text(founding.localID)
        guard let itself = cluster.members.first(where: { $0.id == founding.localID }) else {
            // All founders are in the list from the beginning.
            guard cluster.isFounded else { return }
            throw .fatal(
                "member \(id) was removed from the cluster, says the member at \(url); to come back under a new identity, add this member "
                    + "there and use --initial-cluster-state existing")
        }
        if itself.isPublished { throw .fatal("member \(id) has already been bootstrapped") }
    }

    /// Of those who answer within a second.
    private func answersOfAll() async -> [(url: String, cluster: RunningCluster)] {
        await withTaskGroup(of: (url: String, cluster: RunningCluster)?.self) { group in
            for member in others { group.addTask { await answer(of: member) } }
            var answers: [(url: String, cluster: RunningCluster)] = []
            for await answer in group { if let answer { answers.append(answer) } }
            return answers.sorted { $0.url < $1.url }
        }
    }

    private func answer(of member: Founding.Member) async -> (url: String, cluster: RunningCluster)? {
        for url in member.peerURLs {
            if let cluster = try? await ask.cluster(at: url, seconds: 1) { return (url, cluster) }
        }
        return nil
    }
}
