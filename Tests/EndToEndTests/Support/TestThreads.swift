import Foundation
import Testing

/// Threads for tests that block: they wait for processes and sockets, which must not hold the threads of Swift's own pool,
/// where the tests of other targets run. Two, so that one test works while another waits, and timing still means something.
///
/// `@unchecked Sendable`: `jobs` is touched only while `condition` is held.
final class TestThreads: TaskExecutor, @unchecked Sendable {
    static let shared = TestThreads(count: 2)

    private let condition = NSCondition()
    private var jobs: [UnownedJob] = []

    private init(count: Int) {
        for _ in 0..<count { Thread.detachNewThread { self.work() } }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.withLock {
            jobs.append(job)
            condition.signal()
        }
    }

    private func work() {
        while true {
            let job = condition.withLock {
                while jobs.isEmpty { condition.wait() }
                return jobs.removeFirst()
            }
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}

/// Gives the tests of a suite `TestThreads`.
struct BlockingTrait: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(TestThreads.shared) { try await function() }
    }
}

extension Trait where Self == BlockingTrait {
    /// The tests block their thread.
    static var blocking: Self { BlockingTrait() }
}
