import Access
import PeerTransport
import Raft
import Wire

/// Who may do what, and does every member understand it?
struct AccessDesk {
    /// As applied here.
    private(set) var state: AccessState { didSet { version += 1 } }
    /// Counts the changes of `state`.
    private(set) var version: UInt64 = 0
    /// What the others understand, as they said when they were last connected.
    private var features: [MemberID: Hello.Features] = [:]

    private static let featuresMax = 64

    init(_ state: AccessState) { self.state = state }

    enum Change { case none, enabled(guestsMayDoEverything: Bool), disabled, other }

    mutating func follow(_ new: AccessState) -> Change {
        guard new != state else { return .none }
        defer { state = new }
        if new.isEnabled, !state.isEnabled {
            return .enabled(guestsMayDoEverything: new.role(BuiltIn.guest)?.permissions == .everything)
        }
        return state.isEnabled && !new.isEnabled ? .disabled : .other
    }

    /// - Parameter isKnown: strangers must not fill the memory.
    mutating func note(_ hello: Hello, isKnown: (MemberID) -> Bool) {
        if features.count >= Self.featuresMax { features = features.filter { id, _ in isKnown(id) } }
        features[hello.from] = hello.features
    }

    /// As it said when it last connected to this member.
    func understands(_ feature: Hello.Features, _ member: MemberID) -> Bool { features[member]?.contains(feature) ?? false }

    /// The first entry of this kind must meet only members that can read it: others would stop. Whoever comes later is too old or finds it in
    /// the log.
    ///
    /// - Parameter connected: whoever is not may have been replaced by an older one.
    func refusal(others: [Member], connected: (MemberID) -> Bool) -> String? {
        guard state.isUntouched else { return nil }
        for member in others {
            let name = member.name.isEmpty ? "\(member.id)" : member.name
            guard connected(member.id), let features = features[member.id] else {
                return "auth: member \(name) must be connected when users are set up for the first time"
            }
            guard features.contains(.access) else { return "auth: member \(name) runs a version that knows no users; upgrade it first" }
        }
        return nil
    }
}
