import NIOCore
import Raft

/// What is known of the connection with one peer, since this process began. Numbers only grow, but for those of now.
package struct PeerStatistics: Equatable, Sendable {
    package var member: MemberID
    /// How long our messages have reached it without a break; nil: they do not.
    package var connectedFor: TimeAmount?
    /// It has a connection to us.
    package var hasIncoming = false
    package var connectsTotal: UInt64 = 0
    package var messagesSent: UInt64 = 0
    package var appendsSent: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var messagesReceived: UInt64 = 0
    package var appendsReceived: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    /// Messages not sent: no connection, or too much waiting, or still waiting when the connection was lost.
    package var messagesDropped: UInt64 = 0
    /// Bytes that wait now.
    package var bytesUnsent = 0
    package var roundTrips = RoundTrips()

    init(member: MemberID) { self.member = member }
}

/// How long pings take, one a second. They overtake long messages as heartbeats do, so this is what a heartbeat takes too.
package struct RoundTrips: Equatable, Sendable {
    package private(set) var histogram = DurationHistogram.roundTrip
    package private(set) var count: UInt64 = 0
    package private(set) var lastSeconds = 0.0
    package private(set) var minimumSeconds = 0.0
    package private(set) var maximumSeconds = 0.0
    private var sum = 0.0
    private var sumOfSquares = 0.0

    package var averageSeconds: Double { count == 0 ? 0 : sum / Double(count) }

    package var standardDeviationSeconds: Double {
        count == 0 ? 0 : max(0, sumOfSquares / Double(count) - averageSeconds * averageSeconds).squareRoot()
    }

    mutating func note(_ seconds: Double) {
        minimumSeconds = count == 0 ? seconds : min(minimumSeconds, seconds)
        maximumSeconds = max(maximumSeconds, seconds)
        count += 1
        histogram.record(nanoseconds: UInt64(max(0, seconds) * 1e9))
        lastSeconds = seconds
        sum += seconds
        sumOfSquares += seconds * seconds
    }
}
