import Access
import Keyspace
import Storage
import Wire

/// Users and roles: changes that clients ask for (v2-keys.md §16).
extension ReplicaService {
    package var access: AccessState { rights.state }
    package var accessVersion: UInt64 { rights.version }
    package var isAccessEnabled: Bool { rights.state.isEnabled }

    package func changeAccess(_ command: AccessCommand, client: [UInt8], answer: @escaping (AccessChangeResult) -> Void) {
        loop.assertInEventLoop()
        if let reason = room.refusal() ?? (proposals.hasRoomForAdministration ? nil : .overloaded) { return answer(.unavailable(reason)) }
        let others = membership.present.filter { $0.id != identity.member }
        if let reason = rights.refusal(others: others, connected: { links?.isConnected($0) == true }) { return answer(.notYet(reason)) }
        let payload = AccessCodec.encode(command, time: clock.now, client: client, request: proposals.newRequest())
        let tell = { (outcome: ProposalDesk.AdministrationOutcome) in
            switch outcome {
            case .unavailable(let reason): answer(.unavailable(reason))
            case .applied(.access(let outcome)): answer(.done(outcome))
            case .applied(.accessRefused(let refusal)): answer(.refused(refusal))
            case .applied(.denied): answer(.denied)
            case .applied: answer(.unavailable(.stopped))
            }
        }
        proposals.add(payload, start: WallClock.steady, patience: configuration.requestTimeoutNanoseconds, .administration(tell))
        turn { gather(payload) }
    }

    func follow(_ access: AccessState) {
        switch rights.follow(access) {
        case .none: return
        case .enabled(let guestsMayDoEverything): notice(.accessEnabled(guestsMayDoEverything: guestsMayDoEverything))
        case .disabled: notice(.accessDisabled)
        case .other: break
        }
        // Ahead of the answer to whoever changed it: a watch that lost its right ends first.
        if let onAccessChange { deliver(.other(onAccessChange)) }
    }
}
