import NIOCore

/// How a proxy forwards (server.md §2.3).
package struct ProxyConfiguration: Sendable {
    /// Only GET passes.
    package var isReadOnly = false
    /// How long an endpoint that failed is left out.
    package var failureWait = TimeAmount.seconds(5)
    /// Time between two looks at who the members are; a second while none is known, unless this is less than 30 s.
    package var refreshInterval = TimeAmount.seconds(30)
    /// For a connection to a member to be there.
    package var dialTimeout = TimeAmount.seconds(1)
    /// For a request to be handed to the system.
    package var writeTimeout = TimeAmount.seconds(5)
    /// Between two pieces of an answer; nil: for ever, which watches need.
    package var readTimeout: TimeAmount?
    /// Connections to members at a time, used and kept ones together.
    package var connectionsMax = 16_384

    package init() {}

    /// Kept for the next request, of one endpoint, and for how long.
    static let idleConnectionsMax = 128
    static let idleSecondsMax: Int64 = 90
    /// Bytes that are read from a member before the client has taken what came before.
    static let pieceBytes = 32 << 10
}
