import Raft

/// Which members want to be told what comes of which requests?
///
/// One whose disk is full can put nothing into its log, and so never sees its clients' changes applied. It asks whoever leads to tell.
struct OutcomeDesk {
    private var wanted: [UInt64: (member: MemberID, until: Int64)] = [:]
    private let wantedMax: Int

    /// - Parameter wantedMax: what is asked for beyond is not told; its client hears that nobody knows.
    init(wantedMax: Int = 8192) { self.wantedMax = wantedMax }

    var isEmpty: Bool { wanted.isEmpty }

    /// - Parameters:
    ///   - now: steady nanoseconds.
    ///   - patience: nanoseconds for which anybody still waits.
    mutating func want(_ requests: [UInt64], by member: MemberID, at now: Int64, patience: Int64) {
        if wanted.count + requests.count > wantedMax { wanted = wanted.filter { $0.value.until > now } }
        for request in requests where request != 0 && wanted.count < wantedMax { wanted[request] = (member, now + patience) }
    }

    /// Whom to tell that it is done; once.
    mutating func take(_ request: UInt64) -> MemberID? { wanted.removeValue(forKey: request)?.member }
}
