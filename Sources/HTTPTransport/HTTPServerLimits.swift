/// Bounds of what clients may make the server hold or wait for.
package struct HTTPServerLimits: Sendable {
    /// Connections at a time; more are closed at once.
    package var connectionsMax = 20_000
    /// Bytes of a request head. etcd takes about 1 MB (v2-keys.md §18).
    package var headBytesMax = 1 << 20
    package var headFieldsMax = 256
    /// Bytes of a request body; above it the responder is told `tooLarge` and the connection ends after the answer.
    package var bodyBytesMax = 10 << 20
    /// Connections of encrypted ports that have not finished their handshake; of more, the oldest is closed.
    package var handshakesMax = 1024
    /// Seconds from the connection to the end of its handshake.
    package var handshakeSecondsMax = 10
    /// Seconds from the first byte of a request (or the start of the connection) to the end of its head.
    package var headSecondsMax = 30
    /// Seconds from the end of the head to the end of the body.
    package var bodySecondsMax = 300
    /// Seconds a connection may stay open between two requests. Longer than common client pools keep theirs (Go: 90),
    /// so that it is the client who closes.
    package var idleSecondsMax = 300
    /// Seconds a client may take no byte of an answer that waits for it.
    package var writeSecondsMax = 60
    /// Bytes that may wait to be sent on a stream before the next chunk ends it.
    package var unsentStreamBytesMax = 512 << 10
    /// Bytes that all connections of a listener may hold together: requests that arrive, and answers that wait to be taken. Above it,
    /// whatever is longer than `smallBytesMax` is refused with 503. From half of it on, those that would take longer than
    /// `heldSecondsMax` at the pace of the last second are closed, the slowest first.
    package var heldBytesMax = 256 << 20
    /// Bytes of large request bodies, those longer than `smallBytesMax`, that are in service at a time, from their first byte to their answer.
    /// The clients of others wait.
    package var largeBodiesBytesMax = 32 << 20
    /// Seconds a client waits for that; then it is refused with 503.
    package var largeBodyWaitSecondsMax = 60
    /// Seconds a large body has to arrive while others wait.
    package var largeBodySecondsMax = 10

    package init() {}

    /// Bytes of requests that are held while an earlier one is answered; then the connection is read no more.
    static let pipelinedBytesMax = 64 << 10
    /// Beyond so many bytes unsent on a connection its next request waits. Not below the longest answer that leaves in one write.
    static let unsentBytesMax = 17 << 10
    static let smallBytesMax = 64 << 10
    static let heldSecondsMax = 10
    /// Bytes of a chunk-size line with its extensions, and of all trailers: both are thrown away.
    static let chunkLineBytesMax = 256
    static let trailerBytesMax = 8 << 10
    /// Seconds in which the rest of a refused request is read and thrown away, so that the answer is not destroyed by
    /// the reset which closing with unread bytes causes.
    static let lingerSeconds = 5
    /// Bodies up to here are copied behind the head and leave in one write.
    static let inlineBodyBytesMax = 16 << 10
}
