import Glibc

/// A queue with one consumer thread: it takes all that has gathered, so that work comes in batches as large as the
/// consumer is slow, with no timer and no tuning.
///
/// It has no bound of its own, since the loop may not wait. What may wait in each is bounded by who fills it:
///
///     log      proposals: `ProposalDesk`, `Line.bytesUnwritten`; a leader's entries: what it sends ahead of our word
///     apply    entries: `Applier.isBehind`, which loop and log thread obey; reads and watches: their desks
///     tree     one layer at a time; `TreeWriter.free` stops giving when little is taken
///     fetch    one append for each member
///
/// `@unchecked Sendable`: `items`, `isWoken` and `isWaiting` are touched only while `mutex` is held; the pointers never change.
final class Inbox<Item>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var items: [Item] = []
    private var isWoken = false
    private var isWaiting = false

    init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // A time-out must not depend on what somebody does to the wall clock.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func submit(_ item: sending Item) {
        pthread_mutex_lock(mutex)
        items.append(item)
        let wakes = isWaiting
        pthread_mutex_unlock(mutex)
        if wakes { pthread_cond_signal(condition) }
    }

    /// Items that wait.
    var count: Int {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return items.count
    }

    /// The consumer sleeps and nothing waits for it.
    var isIdle: Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return isWaiting && items.isEmpty
    }

    /// Ends the consumer's wait without giving it anything.
    func wake() {
        pthread_mutex_lock(mutex)
        isWoken = true
        pthread_mutex_unlock(mutex)
        pthread_cond_signal(condition)
    }

    /// Everything that has gathered; waits until there is something, `wake` is called, or the time is over.
    func takeAll(timeoutMilliseconds: Int? = nil) -> [Item] {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if items.isEmpty, !isWoken {
            isWaiting = true
            if let timeoutMilliseconds {
                var deadline = timespec()
                clock_gettime(CLOCK_MONOTONIC, &deadline)
                let nanoseconds = deadline.tv_nsec + (timeoutMilliseconds % 1000) * 1_000_000
                deadline.tv_sec += timeoutMilliseconds / 1000 + nanoseconds / 1_000_000_000
                deadline.tv_nsec = nanoseconds % 1_000_000_000
                while items.isEmpty, !isWoken, pthread_cond_timedwait(condition, mutex, &deadline) == 0 {}
            } else {
                while items.isEmpty, !isWoken { pthread_cond_wait(condition, mutex) }
            }
            isWaiting = false
        }
        isWoken = false
        var taken: [Item] = []
        swap(&taken, &items)
        return taken
    }
}

/// A thread of its own for work that blocks: fsync must hold neither an event loop nor a thread of the Swift pool.
final class WorkerThread: Sendable {
    private let handle: pthread_t

    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    /// `name` shows in `top -H`; at most 15 bytes.
    init(name: String, _ run: @escaping @Sendable () -> Void) {
        let body = Unmanaged.passRetained(
            Body {
                if let file = fopen("/proc/thread-self/comm", "w") {
                    fputs(String(name.prefix(15)), file)
                    fclose(file)
                }
                run()
            })
        var handle = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, 1 << 20)
        let result = pthread_create(
            &handle, &attributes,
            { context in
                if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, body.toOpaque())
        pthread_attr_destroy(&attributes)
        precondition(result == 0, "the system gives no thread")
        self.handle = handle
    }

    func join() { pthread_join(handle, nil) }

    /// Nobody will join it: the system takes its stack back when it ends.
    func detach() { pthread_detach(handle) }
}
