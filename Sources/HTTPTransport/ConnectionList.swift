/// What stands in a `ConnectionList`.
protocol Listed: AnyObject {
    /// Where it stands; the list's to change.
    var position: Int { get set }
    /// The listener's second at which it is given up; `Int.max` while nothing is waited for.
    var deadline: Int { get }
}

/// Connections in no order. To add one, or to take one out, costs the same however many there are.
///
/// Invariant: `all[n].position == n`.
struct ConnectionList<Connection: Listed> {
    private(set) var all: [Connection] = []

    var count: Int { all.count }

    /// The one that is given up next, which has waited longest where all wait for the same; looks at all of them.
    var next: Connection? { all.min { $0.deadline < $1.deadline } }

    mutating func add(_ connection: Connection) {
        connection.position = all.count
        all.append(connection)
    }

    /// Does nothing for one that does not stand in the list any more.
    mutating func remove(_ connection: Connection) {
        let position = connection.position
        guard all.indices.contains(position), all[position] === connection, let last = all.popLast() else { return }
        if last !== connection {
            last.position = position
            all[position] = last
        }
    }
}
