/// What an operator may tune, and the bounds of what one member sends another.
package struct CoreSettings: Hashable, Sendable {
    /// A leader speaks to every peer at least this often.
    package var heartbeatMilliseconds: UInt64
    /// A follower that hears nothing for one to two of these (drawn anew each time) stands for election (thesis §3.4).
    package var electionMilliseconds: UInt64
    /// Entries in one message, so that a long catch-up comes in digestible pieces.
    package var entriesPerMessageMax: Int
    /// Entries that were sent to a peer and not yet acknowledged; beyond that the leader waits for it.
    package var entriesInFlightMax: Int
    /// Ask first whether an election could be won, so that a member that was cut off disturbs nobody (thesis §9.6).
    package var preVote: Bool
    /// A leader without a majority steps down, and who hears from a leader gives no vote (thesis §6.2, §4.2.3).
    package var checkQuorum: Bool

    package init(
        heartbeatMilliseconds: UInt64 = 100, electionMilliseconds: UInt64 = 1000, entriesPerMessageMax: Int = 512,
        entriesInFlightMax: Int = 8192, preVote: Bool = true, checkQuorum: Bool = true
    ) {
        precondition(heartbeatMilliseconds > 0 && heartbeatMilliseconds < electionMilliseconds, "raft: heartbeat < election")
        precondition(entriesPerMessageMax > 0 && entriesInFlightMax >= entriesPerMessageMax, "raft: message <= window")
        self.heartbeatMilliseconds = heartbeatMilliseconds
        self.electionMilliseconds = electionMilliseconds
        self.entriesPerMessageMax = entriesPerMessageMax
        self.entriesInFlightMax = entriesInFlightMax
        self.preVote = preVote
        self.checkQuorum = checkQuorum
    }

    /// Half an election timeout, but no less than five heartbeats.
    private var alertMilliseconds: UInt64 { max(electionMilliseconds / 2, 5 * heartbeatMilliseconds) }
    /// What lies between two words of a leader that speaks regularly: two of its heartbeats, and some delay.
    var regularGapMilliseconds: UInt64 { alertMilliseconds / 2 }
    /// A leader that spoke regularly is suspected after so long: it may miss four heartbeats, as when its process is stopped for a moment.
    var suspicionMilliseconds: UInt64 {
        preVote && checkQuorum ? min(electionMilliseconds, alertMilliseconds * 9 / 10) : electionMilliseconds
    }
}

/// Bounds that nobody tunes.
enum Limits {
    /// Terms and indexes beyond this come from a broken sender: no cluster gets there, and below it no sum overflows.
    static let numberMax: UInt64 = 1 << 62
    /// With entries on their way to a peer, further ones gather for so long, or until those are acknowledged, or fill a message: each
    /// message costs every thread of the peer a turn, so under load few large ones are cheaper for all (as Nagle's algorithm has it).
    static let gatherMilliseconds: UInt64 = 2
    /// How long a follower that saw its leader's process die waits at most before it asks for pre-votes. Enough that two
    /// followers seldom ask in the same instant, little against the disk and the network.
    static let hurryMillisecondsMax: UInt64 = 30
    /// Election timeouts for which a new leader must have spoken regularly before its silence is believed early.
    static let trialTimeouts: UInt64 = 2
    /// Election timeouts for which an irregularity is remembered.
    static let waryTimeouts: UInt64 = 20
    /// Heartbeats that a hurried candidate waits at least for its votes: they take a round trip and the commit of a disk.
    static let votingHeartbeats: UInt64 = 3
}
