import Synchronization

/// Whether a long piece of work is still wanted: said by one thread, asked now and then by the one that works.
package final class Abandonment: Sendable {
    private let flag = Atomic<Bool>(false)

    package init() {}

    package var isAbandoned: Bool { flag.load(ordering: .relaxed) }

    package func abandon() { flag.store(true, ordering: .relaxed) }
}
