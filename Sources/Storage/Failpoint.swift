import Glibc

/// A named place where a test can let the process die, as `kill -9` would (debug builds only).
///
/// `ETCLITE_FAILPOINT=log.append.before-commit:3` dies at the third passage.
package enum Failpoint {
    @inline(__always)
    package static func pass(_ name: StaticString) {
        #if FAILPOINTS
            active?.pass(name)
            observer?("\(name)")
        #endif
    }

    /// For a test that wants a bound where it is quick to reach: `name` as a number, in debug builds.
    package static func bound(_ name: String, otherwise: Int) -> Int {
        #if FAILPOINTS
            if let text = getenv(name) { return Int(String(cString: text)) ?? otherwise }
        #endif
        return otherwise
    }

    #if FAILPOINTS
        /// For a test in the same process: called at each passage, so that it can look at what a crash would leave.
        @TaskLocal package static var observer: (@Sendable (String) -> Void)?

        private static let active = ActiveFailpoint()

        private final class ActiveFailpoint: Sendable {
            private let name: String
            private let counter: FailpointCounter

            init?() {
                guard let text = getenv("ETCLITE_FAILPOINT").map({ String(cString: $0) }), !text.isEmpty else { return nil }
                let parts = text.split(separator: ":", maxSplits: 1)
                name = String(parts[0])
                counter = FailpointCounter(parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
            }

            func pass(_ passed: StaticString) {
                guard passed.description == name, counter.countDown() else { return }
                kill(getpid(), SIGKILL)
                // The signal takes the process down before this returns to its caller.
                pause()
            }
        }
    #endif
}

#if FAILPOINTS
    import Synchronization

    private final class FailpointCounter: Sendable {
        private let rest: Mutex<Int>

        init(_ count: Int) { rest = Mutex(count) }

        func countDown() -> Bool {
            rest.withLock { rest in
                rest -= 1
                return rest == 0
            }
        }
    }
#endif
