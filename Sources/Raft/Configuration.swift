/// Who takes part: voters decide, learners only follow (thesis §4.2.1). Lists are sorted and disjoint.
package struct Configuration: Hashable, Sendable {
    package private(set) var voters: [MemberID]
    package private(set) var learners: [MemberID]

    package init(voters: [MemberID], learners: [MemberID] = []) {
        self.voters = Array(Set(voters)).sorted()
        self.learners = Array(Set(learners).subtracting(voters)).sorted()
    }

    /// Votes or acknowledgements that decide: floor(N / 2) + 1.
    package var quorum: Int { voters.count / 2 + 1 }

    package func contains(_ member: MemberID) -> Bool { voters.contains(member) || learners.contains(member) }

    package func applying(_ change: ConfigurationChange) -> Configuration {
        switch change {
        case .addVoter(let member): Configuration(voters: voters + [member], learners: learners.filter { $0 != member })
        case .addLearner(let member): voters.contains(member) ? self : Configuration(voters: voters, learners: learners + [member])
        case .remove(let member):
            Configuration(voters: voters.filter { $0 != member }, learners: learners.filter { $0 != member })
        }
    }
}

/// One step of a membership change: at most one voter more or less, so that old and new majorities overlap (thesis §4.1).
package enum ConfigurationChange: Hashable, Sendable {
    /// A new voter, or a learner that is promoted.
    case addVoter(MemberID)
    case addLearner(MemberID)
    case remove(MemberID)
}

/// An entry as the core knows it: where it is, and whether it changes the configuration. The payload stays with the caller.
package struct EntryHeader: Hashable, Sendable {
    package var position: LogPosition
    /// Takes effect as soon as the entry is in the log, committed or not (thesis §4.1).
    package var change: ConfigurationChange?

    package init(position: LogPosition, change: ConfigurationChange? = nil) {
        self.position = position
        self.change = change
    }
}
