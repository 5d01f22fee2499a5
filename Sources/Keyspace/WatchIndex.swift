/// Who hears a live event: waiting watchers, found by path.
///
/// A lookup costs one step a segment of the changed key and one a watcher that hears it, whatever the number of
/// other watchers. Order is the order of registration; the dictionaries are only ever asked, never iterated.
package struct WatchIndex<ID: Hashable & Sendable>: Sendable {
    private struct Registration: Sendable {
        let path: TreePath
        let isRecursive: Bool
        let ticket: UInt64
    }

    /// The watchers of one path.
    private struct Bucket: Sendable {
        var plain = WatchQueue<ID>()
        var recursive = WatchQueue<ID>()

        var isEmpty: Bool { plain.isEmpty && recursive.isEmpty }
    }

    private var registrations: [ID: Registration] = [:]
    private var buckets: [TreePath: Bucket] = [:]
    private var recursiveCount = 0
    private var lastTicket: UInt64 = 0

    package init() {}

    package var count: Int { registrations.count }
    package var isEmpty: Bool { registrations.isEmpty }
    /// How many paths somebody watches; nothing is kept of a path whose last watcher left.
    package var pathCount: Int { buckets.count }

    /// From now on `id` hears of `path`. An id watches one path: registering it again moves it, to the end.
    package mutating func register(_ id: ID, path: TreePath, recursive: Bool) {
        unregister(id)
        lastTicket += 1
        registrations[id] = Registration(path: path, isRecursive: recursive, ticket: lastTicket)
        if recursive {
            buckets[path, default: Bucket()].recursive.append(id, ticket: lastTicket)
            recursiveCount += 1
        } else {
            buckets[path, default: Bucket()].plain.append(id, ticket: lastTicket)
        }
    }

    /// - Returns: The path that was watched; nil when the id is not registered.
    @discardableResult
    package mutating func unregister(_ id: ID) -> TreePath? {
        guard let registration = registrations.removeValue(forKey: id) else { return nil }
        let path = registration.path
        if registration.isRecursive {
            buckets[path]?.recursive.remove(ticket: registration.ticket)
            recursiveCount -= 1
        } else {
            buckets[path]?.plain.remove(ticket: registration.ticket)
        }
        if let bucket = buckets[path], bucket.isEmpty { buckets[path] = nil }
        return path
    }

    /// Each watcher that hears the event, once, in the order of registration.
    ///
    /// `isTwice` is for streams only: etcd sends them the removal of the watched key itself two times
    /// (v2-keys.md §13, Streams); a watch that ends with its first event takes no notice.
    package func watchers(of event: Event) -> [(id: ID, isTwice: Bool)] {
        guard !registrations.isEmpty, event.isTold else { return [] }
        var heard = Heard()
        if let bucket = buckets[event.path] {
            heard.collect(bucket.plain, isTwice: event.action.isRemoval)
            heard.collect(bucket.recursive, isTwice: event.action.isRemoval)
        }
        if recursiveCount > 0 {
            // Upwards, until a hidden segment: whoever watches above it does not see below it.
            var path = event.path
            while !path.isHidden, let parent = path.parent {
                if let bucket = buckets[parent] { heard.collect(bucket.recursive, isTwice: false) }
                path = parent
            }
        }
        for path in event.removedBelow {
            guard let bucket = buckets[path] else { continue }
            heard.collect(bucket.plain, isTwice: false)
            heard.collect(bucket.recursive, isTwice: false)
        }
        return heard.inOrder()
    }

    private struct Heard {
        private var watchers: [(ticket: UInt64, id: ID, isTwice: Bool)] = []
        /// One queue is in order as it is, which is the case of many watchers of one key.
        private var queues = 0

        mutating func collect(_ queue: WatchQueue<ID>, isTwice: Bool) {
            if queue.isEmpty { return }
            queues += 1
            queue.forEach { ticket, id in watchers.append((ticket, id, isTwice)) }
        }

        func inOrder() -> [(id: ID, isTwice: Bool)] {
            let ordered = queues > 1 ? watchers.sorted { $0.ticket < $1.ticket } : watchers
            return ordered.map { ($0.id, $0.isTwice) }
        }
    }
}
