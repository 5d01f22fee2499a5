/// What stands in a `ConnectionList`.
protocol Listed: AnyObject {
    /// Where it stands; the list's to change.
    var position: Int { get set }
    /// How many came before it; the list's to change.
    var number: UInt64 { get set }
    /// The listener's second at which it is given up; `Int.max` while nothing is waited for.
    var deadline: Int { get }
}

/// Connections in no order. To add one, or to take one out, costs the same however many there are.
///
/// Invariant: `all[n].position == n`.
struct ConnectionList<Connection: Listed> {
    private(set) var all: [Connection] = []
    private var added: UInt64 = 0

    var count: Int { all.count }

    /// The one that is given up next, of several the one that came first; looks at all of them.
    var next: Connection? { all.min { ($0.deadline, $0.number) < ($1.deadline, $1.number) } }

    mutating func add(_ connection: Connection) {
        (connection.position, connection.number) = (all.count, added)
        added &+= 1
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
