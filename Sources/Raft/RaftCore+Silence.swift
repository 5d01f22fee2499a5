/// How long a leader may be silent before it counts as gone.
///
/// Nothing closes the connections of a machine that loses its power or its cable: only silence tells. One to two election timeouts of it
/// always do (thesis §3.4). Less than half of that does when the leader spoke regularly until then, which says that its machine, this one and
/// the network between them are not given to pauses. After an irregularity, and for a moment after each election, silence is not believed early:
/// a busy machine or a bad network is waited for as long as ever. And nothing is risked: the term grows only when a majority has come to the
/// same conclusion for itself (pre-vote), and a leader proves itself by answers, never by time.
///
/// ```
///          heartbeats    silence ──────────────────────────────────>
///   regular:  |   |   |   ·   ·   ·   · ?                             suspected: pre-votes at once, and again soon
///   wary:     | | |     | ·   ·   ·   ·   ·   ·   ·   ·   ·   · ?     given up after one to two election timeouts
/// ```
extension RaftCore {
    /// Thesis §4.2.3: while a leader is heard, nobody needs another one.
    var hearsFromLeader: Bool { role == .leader || (leader != .none && now < lastContact + patience) }

    private var suspectsEarly: Bool { leader != .none && patience < settings.electionMilliseconds }

    /// The leader of the term has spoken.
    mutating func noteContact() {
        if contactTerm != term {
            beWary(for: Limits.trialTimeouts)
        } else if now > lastContact + settings.regularGapMilliseconds {
            beWary(for: Limits.waryTimeouts)
        }
        contactTerm = term
        lastContact = now
        hurryUntil = 0
        patience = now < waryUntil ? settings.electionMilliseconds : settings.suspicionMilliseconds
        electionDeadline = now + (suspectsEarly ? patience + numbers.below(Limits.hurryMillisecondsMax) : drawElectionTimeout())
    }

    private mutating func beWary(for timeouts: UInt64) {
        waryUntil = max(waryUntil, now + timeouts * settings.electionMilliseconds)
    }

    /// The leader was silent for as long as it may be.
    mutating func endPatience(into output: inout CoreOutput) {
        guard suspectsEarly else {
            loseLeader(into: &output)
            return startPreVote(into: &output)
        }
        // If this process was stopped, or busy, what the leader said meanwhile may lie unread in front of it.
        if now > electionDeadline + settings.heartbeatMilliseconds / 2 {
            beWary(for: Limits.waryTimeouts)
            patience = settings.electionMilliseconds
            electionDeadline = max(now + settings.heartbeatMilliseconds, lastContact + drawElectionTimeout())
            return
        }
        loseLeader(into: &output)
        hurryUntil = now + settings.electionMilliseconds
        startPreVote(into: &output)
    }
}
