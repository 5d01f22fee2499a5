import Glibc
import Logging
import Synchronization

/// The log of the process.
package enum ProcessLog {
    private struct State {
        /// One for each place, so that one that nobody reads does not hold up the others.
        var writers: [LineWriter] = []
        /// Those of them that are files.
        var files: [(path: String, descriptor: Int32)] = []
    }

    private static let state = Mutex(State())

    /// Makes every `Logger` of the process write in the configured format. Call once, before the first logger is made, when signals are blocked
    /// for the threads to come.
    ///
    /// - Returns: why a file of the log cannot be opened; then the log goes to the other places, or to standard error.
    package static func open(_ configuration: ServerConfiguration) -> String? {
        LogThreshold.current = configuration.logLevel.loggerLevel
        let format = configuration.logFormat
        var (new, problem) = (State(), String?.none)
        func write(to descriptor: Int32) {
            let writer = LineWriter(descriptor: descriptor) { missing in
                format.bytesNow(
                    level: .warning, label: "etcdmain",
                    text: "\(missing) log lines were dropped: whatever reads the log did not take them")
            }
            new.writers.append(writer)
        }
        for output in configuration.logOutputs {
            switch output {
            case .standardError: write(to: STDERR_FILENO)
            case .standardOutput: write(to: STDOUT_FILENO)
            case .file(let path):
                let opened = append(to: path)
                if opened >= 0 {
                    new.files.append((path, opened))
                    write(to: opened)
                } else {
                    problem = failure(path)
                }
            }
        }
        if new.writers.isEmpty { write(to: STDERR_FILENO) }
        state.withLock { $0 = new }
        LoggingSystem.bootstrap { [writers = new.writers] in LineLogHandler(label: $0, format: format, writers: writers) }
        return problem
    }

    /// Goes on in new files of the old names: somebody has renamed the old ones.
    ///
    /// - Returns: why that cannot be, for each file where it cannot; those are written on.
    package static func reopen() -> [String] {
        state.withLock(\.files).compactMap { file in
            let opened = append(to: file.path)
            guard opened >= 0 else { return failure(file.path) }
            defer { close(opened) }
            // A writer's thread may be in the middle of a line: it keeps its descriptor, which is of the new file with the next line.
            guard dup2(opened, file.descriptor) >= 0, fcntl(file.descriptor, F_SETFD, FD_CLOEXEC) >= 0 else { return failure(file.path) }
            return nil
        }
    }

    private static func failure(_ path: String) -> String { "open \(path): \(String(cString: strerror(errno)).lowercased())" }

    private static func append(to path: String) -> Int32 { Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640) }

    /// The last thing before the process ends. A log that nobody reads delays it by so long, and not for ever.
    package static func flush(milliseconds: Int = 1000) {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        for writer in state.withLock(\.writers) {
            writer.flush(milliseconds: max(1, Int((end - .now) / .milliseconds(1))))
        }
    }
}
