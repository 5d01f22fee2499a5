import Access
import Keyspace
import ReplicaHost

/// What somebody was allowed to watch. Asked again whenever users or roles change: a watch ends when its right is taken.
struct WatchRight {
    /// Nil: a guest.
    let user: AccessName?
    /// As it was sent.
    let key: AccessName
    let recursive: Bool
}

/// All watches that are open, and the rights they were opened with. Confined to the replica's loop.
final class WatchGuard {
    private var watches: [ObjectIdentifier: (watch: WatchResponder, right: WatchRight)] = [:]

    func add(_ watch: WatchResponder, _ right: WatchRight) { watches[ObjectIdentifier(watch)] = (watch, right) }

    func remove(_ watch: WatchResponder) { watches[ObjectIdentifier(watch)] = nil }

    /// Ends those that would not be opened any more. A user whose password changed is another one: who has the old one may not go on.
    func check(_ access: AccessState, changedUsers: Set<AccessName>) {
        let ending = watches.values.filter { _, right in
            if access.isEnabled, let user = right.user, changedUsers.contains(user) { return true }
            return !access.allows(right.user, .read, right.key, recursive: right.recursive)
        }
        for (watch, _) in ending { watch.revoke() }
    }
}
