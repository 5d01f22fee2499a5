/// What a client, or a peer's connection, is to be told. Whoever is told may call back at once: close a channel, cancel a watch, propose
/// something. So nothing is said while the service is at work: it collects deliveries and makes them at the end of its turn.
enum Delivery {
    /// To a one-shot watcher it is the last.
    case event(Watcher, SharedEvent, isTwice: Bool)
    case flush(Watcher)
    case started(Watcher, index: UInt64)
    case cleared(Watcher, oldest: UInt64, index: UInt64)
    case ended(Watcher)
    case unavailable(Watcher, Unavailable)
    case proposal((ProposalResult) -> Void, ProposalResult)
    case read((ReadResult) -> Void, ReadResult)
    /// Whatever is rare.
    case other(() -> Void)
}
