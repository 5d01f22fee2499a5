import Raft

/// What is different from seed to seed: sizes, speeds, and which faults there are. Drawn once, before anything runs, so that each
/// seed tries a corner of its own (swarm testing).
package struct SimulationSettings: Sendable {
    package var members = 3
    package var core = CoreSettings()
    /// Microseconds, as all durations here unless they say otherwise.
    package var networkDelay: ClosedRange<UInt64> = 100...2_000
    /// Messages between two members arrive in the order in which they were sent, as on one connection; but for stragglers and copies.
    package var keepsOrder = true
    package var lossPercent = 0.0
    package var duplicationPercent = 0.0
    /// What a link carries of entries and forwarded proposals, which wait for each other; what is short overtakes them. Nil: no matter how long.
    package var bytesPerSecond: UInt64?
    /// Messages that are held back for much longer than the others.
    package var stragglerPercent = 0.0
    package var fsync: ClosedRange<UInt64> = 200...5_000
    package var applyDelay: ClosedRange<UInt64> = 20...2_000
    /// A member's clock runs faster or slower by so many thousandths.
    package var clockSkews: [Int64] = []
    package var clients = 4
    package var thinkTime: ClosedRange<UInt64> = 1_000...2_000_000
    package var requestTimeout: UInt64 = 3_000_000
    package var keys = 4
    package var valueBytesMax = 64
    /// Of the log's WAL.
    package var logFrames = 256
    package var entriesBetweenCuts: UInt64 = 200
    package var entriesKept: UInt64 = 50
    /// Between two faults.
    package var faultPause: ClosedRange<UInt64> = 500_000...20_000_000
    package var faults: [FaultKind] = []
    /// How long nothing breaks and little is asked, and how long it is otherwise in between; nil: never.
    package var quiet: ClosedRange<UInt64>?
    package var busy: ClosedRange<UInt64> = 30_000_000...240_000_000
    package var safetyPhase: UInt64 = 300_000_000
    package var livenessPhase: UInt64 = 120_000_000

    package init() {}

    /// An ordinary cluster to which these faults happen alone, each when the one before is over.
    package init(faults: [FaultKind]) {
        self.faults = faults
        faultPause = 30_000_000...40_000_000
        safetyPhase = 3_600_000_000
    }

    /// Whether a majority that is well must get on: where messages and disks take longer than elections, or members may disturb each other,
    /// nobody can promise that.
    var promisesProgress: Bool {
        core.preVote && core.checkQuorum && lossPercent <= 1 && stragglerPercent == 0
            && 2 * networkDelay.upperBound + 2 * fsync.upperBound <= core.electionMilliseconds * 1000
    }

    /// What decides whether elections can end, in one line.
    var text: String {
        func milliseconds(_ range: ClosedRange<UInt64>) -> String { "\(Double(range.lowerBound) / 1000)-\(Double(range.upperBound) / 1000) ms" }
        return "\(members) members, heartbeat \(core.heartbeatMilliseconds) ms, election \(core.electionMilliseconds) ms, "
            + "\(core.preVote ? "" : "no pre-vote, ")\(core.checkQuorum ? "" : "no check-quorum, ")fsync \(milliseconds(fsync)), "
            + "network \(milliseconds(networkDelay)), \(bytesPerSecond.map { "\($0 / 1_000_000) MB/s, " } ?? "")lost \(lossPercent) %, twice \(duplicationPercent) %, late \(stragglerPercent) %"
    }

    package init(drawnFrom chance: inout SimulatedChance) {
        members = chance.pick([1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5, 7])
        let heartbeat = chance.pick([20, 50, 100, 100, 100])
        core = CoreSettings(
            heartbeatMilliseconds: UInt64(heartbeat), electionMilliseconds: UInt64(heartbeat * chance.pick([5, 10, 10])),
            entriesPerMessageMax: chance.pick([1, 3, 16, 512]), entriesInFlightMax: chance.pick([512, 600, 8192]),
            preVote: !chance.happens(10), checkQuorum: !chance.happens(10))
        networkDelay = chance.pick([50...200, 100...2_000, 100...2_000, 1_000...20_000, 100...200_000])
        keepsOrder = chance.happens(75)
        if chance.happens(50) { lossPercent = chance.pick([0.1, 1, 5, 20]) }
        if chance.happens(50) { duplicationPercent = chance.pick([0.1, 1, 5, 20]) }
        if chance.happens(30) { stragglerPercent = chance.pick([0.1, 1, 5]) }
        fsync = chance.pick([50...100, 200...5_000, 200...5_000, 1_000...50_000, 100...300_000])
        applyDelay = chance.pick([5...10, 20...2_000, 100...100_000])
        let skew: Int64 = chance.pick([0, 1, 20, 100])
        clockSkews = (0..<16).map { _ in Int64(chance.below(UInt64(2 * skew + 1))) - skew }
        clients = chance.pick([1, 2, 4, 4, 8])
        thinkTime = chance.pick([500...20_000, 1_000...1_000_000, 1_000...4_000_000, 1_000...10_000_000])
        requestTimeout = chance.pick([500_000, 3_000_000, 7_000_000])
        keys = chance.pick([1, 2, 4, 8])
        valueBytesMax = chance.pick([16, 64, 64, 3_000])
        entriesBetweenCuts = chance.pick([5, 30, 200, 10_000])
        entriesKept = chance.pick([0, 1, 10, 100])
        faultPause = chance.pick([50_000...2_000_000, 500_000...10_000_000, 500_000...20_000_000, 5_000_000...60_000_000])
        logFrames = chance.pick([80, 80, 128, 128, 256, 256, 512, 2048])
        faults = FaultKind.allCases.filter { _ in chance.happens(50) }
        // A fast client would fill the log with more than the checkers can order in good time.
        safetyPhase = thinkTime.upperBound <= 20_000 ? 30_000_000 : thinkTime.upperBound <= 1_000_000 ? 300_000_000 : 1_200_000_000
        if thinkTime.upperBound > 20_000, heartbeat == 100, members <= 5, chance.happens(25) {
            quiet = 600_000_000...3_600_000_000
            safetyPhase = 7_200_000_000
        } else if chance.happens(10) {
            bytesPerSecond = chance.pick([1_000_000, 3_000_000, 20_000_000])
            valueBytesMax = chance.pick([100_000, 1_200_000])
            clients = min(clients, 2)
            thinkTime = 1_000...4_000_000
            requestTimeout = 7_000_000
            safetyPhase = 300_000_000
        }
    }
}

/// What can go wrong on purpose.
package enum FaultKind: Int, CaseIterable, Sendable {
    /// The process dies; its machine does not.
    case kill
    /// Its machine loses power.
    case crash
    /// The same in the middle of a write.
    case crashInWrite
    case crashAll
    case pause
    case partitionHalves
    case partitionOneWay
    case partitionRing
    case leaderAlone
    case linkLost
    case lossyNetwork
    case slowDisk
    case fullDisk
    case failedWrite
    case clockJump
    case transfer
    case membership
    case lostDisk
    case removedReturns
    case flippedBit
    case interruptedSnapshots
    case oldDisk
    /// The leader's disk has no room, long enough for another one to lead.
    case fullLeader
    /// No disk has room; then one after the other has.
    case allFull
    /// Its power or its cable: nothing closes its connections.
    case silentDeath
}
