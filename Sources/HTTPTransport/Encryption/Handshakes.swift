/// What a listener knows of handshakes: those under way, and how many came to nothing. Confined to the loop.
struct Handshakes<Connection: Listed> {
    var unfinished = ConnectionList<Connection>()
    /// Connections that were not let in, ever.
    private(set) var rejectedTotal: UInt64 = 0
    private var untold = 0
    private var toldIn = -1

    /// The one that goes when there are too many: those that never finish must not keep out those that do.
    func excess(over countMax: Int) -> Connection? { unfinished.count >= countMax ? unfinished.next : nil }

    /// One was not let in. At most one in a second is told of: who knocks a thousand times fills no log.
    ///
    /// - Returns: nil for one that is not told, else how many were not since the last one that was.
    mutating func noteRejected(second: Int) -> Int? {
        rejectedTotal &+= 1
        guard second != toldIn else {
            untold += 1
            return nil
        }
        defer { (toldIn, untold) = (second, 0) }
        return untold
    }
}
