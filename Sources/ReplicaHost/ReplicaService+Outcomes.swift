import PeerTransport
import Raft
import Storage
import Wire

/// Changes of a member's clients that the member itself cannot see applied, because its disk is full: it forwards them, and is told what came
/// of them.
extension ReplicaService {
    /// Another member takes changes of this one's clients, and says what came of them.
    var isServedByOthers: Bool {
        let leader = machine.core.leader
        return leader != .none && leader != identity.member && rights.understands(.outcomes, leader) && links?.isConnected(leader) == true
    }

    /// With its own question ahead of what is forwarded.
    func tellOutcomes(of message: PeerMessage) {
        guard room.isFull, case .forward(let from, let to, let term, _, let payloads) = message, rights.understands(.outcomes, to) else { return }
        let requests = payloads.map(\.request).filter { $0 != 0 }
        if !requests.isEmpty { links?.send(.tell(from: from, to: to, term: term, requests: requests)) }
    }

    /// - Returns: false: it is for the machine.
    func takeOutcome(_ message: PeerMessage) -> Bool {
        switch message {
        case .tell(let member, _, let term, let requests):
            if isLeading, room.isFull {
                // Nobody has room; they need not wait to learn it.
                for request in requests { tell(member, request, .diskFull, term: term) }
            } else {
                outcomes.want(requests, by: member, at: WallClock.steady, patience: configuration.requestTimeoutNanoseconds)
            }
        case .outcome(_, _, _, let request, let outcome):
            switch outcome {
            case .event(let event): deliver(proposals.applied(request, .event(event)))
            case .refused(let refusal, let index): deliver(proposals.applied(request, .refused(refusal, index: index)))
            case .denied: deliver(proposals.applied(request, .denied))
            case .diskFull: deliver(proposals.fail(request, .diskFull))
            }
            // If this member is to see it applied after all, nobody waits for that.
            step(.abandoned([request]))
        case .raft, .forward, .forwarded: return false
        }
        return true
    }

    func tellOutcomes(of batch: AppliedBatch) {
        guard !outcomes.isEmpty else { return }
        for result in batch.results {
            let outcome: RequestOutcome
            switch result.outcome {
            case .event(let event): outcome = .event(event)
            case .refused(let refusal, let index): outcome = .refused(refusal, index: index)
            case .denied: outcome = .denied
            // None of these comes of a change of keys.
            case .nothing, .expired, .membership, .membershipRefused, .access, .accessRefused: continue
            }
            if let member = outcomes.take(result.request) { tell(member, result.request, outcome, term: batch.upTo.term) }
        }
    }

    private func tell(_ member: MemberID, _ request: UInt64, _ outcome: RequestOutcome, term: Term) {
        send([.outcome(from: identity.member, to: member, term: term, request: request, outcome)])
    }
}
