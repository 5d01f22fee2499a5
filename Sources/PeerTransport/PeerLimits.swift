import NIOCore
import Wire

/// Bounds of what peers may make each other hold or wait for.
package struct PeerLimits: Sendable {
    /// Bytes of one frame; a longer one breaks its connection. The largest request of a client (10 MiB) fits several times.
    package var frameBytesMax = 64 << 20
    /// Bytes that may wait for one peer, in our batch and in the socket's queue; what comes then is dropped.
    package var queueBytesMax = 64 << 20
    /// For the connection itself; a peer's computer that does not answer at all.
    package var connectMillisecondsMax = 2000
    /// From the connection to the end of the hellos.
    package var helloSecondsMax = 5
    /// A connection on which nothing moves for so long, though pings were sent, is given up.
    package var silentSecondsMax = 15
    /// Waits between two dials: at once, then this, doubled each time up to the maximum, a quarter more or less.
    package var redialMillisecondsMin = 10
    package var redialMillisecondsMax = 500
    /// Bytes of a snapshot that are read, sent and written at once. Two such pieces are on their way at a time.
    package var chunkBytesMax = 256 << 10
    /// A transfer on which nothing moves for so long has failed.
    package var transferSilentSecondsMax = 60
    /// From the last byte of a snapshot to the receiver's word on it: it may have to read it through.
    package var transferReplySecondsMax = 600
    /// The same notice about the same peer is given once in so many seconds.
    package var noticeSecondsMin = 60

    package init() {}

    /// The largest `EntryPayload.size` that any member can be sent: it takes a frame of its own. The other limits are farther away: a row of
    /// the log is one entry, and an event holds the values of two, where SQLite takes a row of 1,000,000,000 bytes.
    package var entryBytesMax: Int {
        frameBytesMax - Frame.headBytes - PeerMessageCodec.messageBytesMax - PeerMessageCodec.entryBytesMax
    }

    /// Bytes of a hello or of its reply.
    static let helloBytesMax = 4 << 10
    /// Bytes of a text in a hello: a version, a reason.
    static let textBytesMax = 256
    /// Members that only they themselves have named.
    static let strangersMax = 16
    /// Of what a member says of its own addresses.
    static let addressesMax = 16
    static let addressBytesMax = 1024
    /// Bytes of a snapshot's header, of a reply about it, of its end.
    static let headerBytesMax = 64 << 10
    /// Received bytes of a snapshot that may wait to be written; beyond, the socket is read no more.
    static let unwrittenBytesMax = 512 << 10
    /// Messages longer than this are sent in parts of so many bytes, between which others fit. The system's buffer and ours before it hold
    /// little more, so this, not their sizes, is how long a heartbeat waits on a slow link.
    static let partBytes = 32 << 10
    static let writableBytesMax = 64 << 10
    static let systemBytesUnsentMax = 32 << 10
    /// What one peer is sent in one turn of the loop, if its socket takes it.
    static let turnBytesMax = 1 << 20
    /// A frame of short messages is closed when it has so many bytes.
    static let batchBytesTarget = 256 << 10
    /// Bytes of a frame of one who is not known as a member: it may still be the leader, and its entries long.
    static let strangerFrameBytesMax = 16 << 20
    /// Connections that others have dialled. Before its hello none holds more than `helloBytesMax`.
    static let acceptedMax = 256
    /// Messages in a frame that this side writes; `PeerMessageCodec.messagesMax` is what it reads.
    static let frameMessagesTarget = 1 << 14
    /// Writers of batches keep their memory up to here.
    static let keptBytesMax = 256 << 10
    /// Peers for which notices are remembered: strangers may make up any number of ids.
    static let noticePeersMax = 256
}
