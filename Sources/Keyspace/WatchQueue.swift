/// Watchers of one path in the order of their tickets.
///
/// A watcher that leaves is only struck out, and the queue is closed up when half of it is: thousands of
/// one-shot watches of one key leave together, and moving the rest up for each would be quadratic.
struct WatchQueue<ID: Sendable>: Sendable {
    private struct Place: Sendable {
        let ticket: UInt64
        /// Nil when struck out.
        var id: ID?
    }

    /// Invariant: ordered by ticket; `waiting` of them have an id, at least half.
    private var places: [Place] = []
    private var waiting = 0

    var isEmpty: Bool { waiting == 0 }

    /// - Precondition: The ticket is newer than all before it.
    mutating func append(_ id: ID, ticket: UInt64) {
        places.append(Place(ticket: ticket, id: id))
        waiting += 1
    }

    mutating func remove(ticket: UInt64) {
        let position = places.partitionPoint { $0.ticket < ticket }
        guard places.indices.contains(position), places[position].ticket == ticket, places[position].id != nil
        else { return }
        places[position].id = nil
        waiting -= 1
        if waiting * 2 < places.count { places.removeAll { $0.id == nil } }
    }

    func forEach(_ body: (_ ticket: UInt64, _ id: ID) -> Void) {
        for place in places {
            if let id = place.id { body(place.ticket, id) }
        }
    }
}
