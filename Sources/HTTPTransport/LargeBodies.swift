/// Who may send a large body now, and who waits for a place.
///
/// What a large request costs in memory is several times its size, from its first byte to its answer. So only so many bytes of them are in
/// service at a time, first come, first served. The clients of all others wait as on a slow network: nobody reads from their sockets.
struct LargeBodies {
    /// Bytes of the bodies that have a place.
    private(set) var bytes = 0
    private var holders: [ObjectIdentifier: Holder] = [:]
    private var waiting: [UInt64: (connection: HTTPConnection, bytes: Int)] = [:]
    private var tickets: [ObjectIdentifier: UInt64] = [:]
    /// The first ticket that may still wait, and the next one to be given out.
    private var (first, next): (UInt64, UInt64) = (0, 0)

    private struct Holder {
        let connection: HTTPConnection
        let bytes: Int
        let since: Int
    }

    private let bytesMax: Int

    /// - Parameter bytesMax: of all that have a place; a single one has a place whatever its size.
    init(bytesMax: Int) { self.bytesMax = bytesMax }

    var isSomebodyWaiting: Bool { !waiting.isEmpty }

    /// - Returns: false: it waits until `takeNext` names it.
    mutating func ask(_ connection: HTTPConnection, bytes count: Int, second: Int) -> Bool {
        if waiting.isEmpty, give(connection, count, second) { return true }
        tickets[ObjectIdentifier(connection)] = next
        waiting[next] = (connection, count)
        next += 1
        return false
    }

    /// It has its answer, or is gone.
    mutating func leave(_ connection: HTTPConnection) {
        let key = ObjectIdentifier(connection)
        if let holder = holders.removeValue(forKey: key) { bytes -= holder.bytes }
        if let ticket = tickets.removeValue(forKey: key) { waiting[ticket] = nil }
    }

    /// The one whose turn it is, if there is room. Ask until nobody is named.
    mutating func takeNext(second: Int) -> HTTPConnection? {
        while first < next, waiting[first] == nil { first += 1 }
        guard let (connection, count) = waiting[first], give(connection, count, second) else { return nil }
        waiting[first] = nil
        tickets[ObjectIdentifier(connection)] = nil
        return connection
    }

    /// Those that have had their place for more than so many seconds.
    func holding(longerThan seconds: Int, second: Int) -> [HTTPConnection] {
        holders.values.filter { second - $0.since > seconds }.map(\.connection)
    }

    private mutating func give(_ connection: HTTPConnection, _ count: Int, _ second: Int) -> Bool {
        guard bytes == 0 || bytes + count <= bytesMax else { return false }
        bytes += count
        holders[ObjectIdentifier(connection)] = Holder(connection: connection, bytes: count, since: second)
        return true
    }
}
