import NIOCore
import Raft
import Replica
import Storage
import Wire

/// What the machine wants, carried out.
extension ReplicaService {
    func carryOut(_ effects: ReplicaEffects) {
        for request in effects.refused {
            figures.counters.proposalsFailed += 1
            deliver(proposals.fail(request, .noLeader))
        }
        for request in effects.persist { persist(request) }
        handOn()
        send(effects.send)
        for message in effects.fetch { fetcher?.fetch(message) }
        for read in effects.readsReleased { release(read.number) }
        for number in effects.readsFailed { deliver(reads.fail(number, .overloaded)) }
        if effects.makeTreeDurable { threads?.tree.submit(.makeDurable(upTo: machine.core.committed)) }
        if let target = effects.cutLog {
            notice(.logCut(upTo: target))
            threads?.log.submit(.cut(upTo: target))
        }
        for member in effects.sendSnapshot { sendSnapshot(to: member) }
        if let position = effects.installSnapshot { install(position) }
        if let position = effects.dropSnapshot, let tree = snapshots.drop(position) { removeTransfer(tree.path) }
        for one in effects.notices { take(one) }
        followLeader()
    }

    private func persist(_ request: PersistRequest) {
        let news = membership.note(request.entries, isLeading: isLeading)
        if news.isChanged { updatePeers() }
        let handedOn = line.order(request, then: Line.AfterOrder(messages: request.sendAfter, answers: news.answers))
        threads?.log.submit(.persist(request, handedOn: handedOn))
    }

    /// Gives the apply thread what is committed and in the log durably.
    private func handOn() {
        guard let threads else { return }
        let committed = machine.core.committed
        guard let end = line.due(committed: committed, isBehind: threads.applier.isBehind) else { return }
        if let entries = machine.entries(after: line.handedOn, upTo: end) {
            line.handOn(entries)
            threads.log.note(committed: committed)
            threads.applier.submit(.entries(entries, []))
        } else if let piece = line.handOnPiece(upTo: end) {
            threads.log.note(committed: committed)
            threads.log.submit(.handOver(after: piece.after, upTo: piece.upTo))
        }
    }

    /// Everything that the read had to wait for is applied, and known here.
    private func release(_ number: UInt64) {
        if reads.isBarrier(number) { return caughtUp() }
        switch reads.released(number, keysIndex: tree.keysIndex) {
        case .nobody: break
        case .order(let order): submit(order)
        case .answered(let delivery):
            figures.found()
            deliver(delivery)
        }
    }

    private func take(_ one: CoreNotice) {
        if case .becameLeader(let term) = one {
            figures.counters.leaderChanges += 1
            if isLoneVoter { notice(.electionStarted(identity.member, term: term)) }
            notice(.becameLeader(identity.member, term: term))
        } else if !isLoneVoter {
            notice(.core(identity.member, one))
        }
    }

    private func followLeader() {
        guard machine.core.leader != leader.known else { return }
        _ = leader.note(machine.core.leader, wall: clock.now, steady: WallClock.steady)
        guard leader.known == identity.member else { return }
        tree.expired()
        links?.tellTime()
    }
}
