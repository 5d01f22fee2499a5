import Glibc
import Logging
import Synchronization

/// The form of the log's lines.
package enum LogFormat: String, Sendable {
    /// etcd's classic format.
    case text
    /// An object a line, with the names that etcd's `zap` lines have.
    case json

    /// A line of another moment: see the types of lines.
    package func bytes(level: Logger.Level, label: String, text: String, seconds: Int64, microseconds: Int64) -> [UInt8] {
        switch self {
        case .text: ClassicLogLine.bytes(level: level, label: label, text: text, seconds: seconds, microseconds: microseconds)
        case .json: JSONLogLine.bytes(level: level, label: label, text: text, seconds: seconds, microseconds: microseconds)
        }
    }

    /// A line of this moment.
    package func bytesNow(level: Logger.Level, label: String, text: String, metadata: Logger.Metadata = [:]) -> [UInt8] {
        switch self {
        case .text:
            let fields = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            return ClassicLogLine.bytesNow(level: level, label: label, text: text + fields)
        case .json: return JSONLogLine.bytesNow(level: level, label: label, text: text, metadata: metadata)
        }
    }
}

/// Gives log events to a writer as lines. Whoever logs does not wait for the log: see `LineWriter`.
package struct LineLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    /// The package name etcd would show: `embed`, `etcdserver/membership`.
    private let label: String
    private let format: LogFormat
    private let writer: LineWriter
    /// Of this logger alone.
    private var ownLevel: Logger.Level?

    package init(label: String, format: LogFormat = .text, writer: LineWriter) {
        self.label = label
        self.format = format
        self.writer = writer
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? LogThreshold.current }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        let line = format.bytesNow(level: event.level, label: label, text: event.message.description, metadata: all)
        writer.write(line, isLast: event.level == .critical)
    }
}

/// The log of the process.
package enum ProcessLog {
    private struct State {
        var writer: LineWriter?
        /// Of the file that the descriptor is of; nil: it is standard error or output.
        var file: (path: String, descriptor: Int32)?
    }

    private static let state = Mutex(State())

    /// Makes every `Logger` of the process write in the configured format. Call once, before the first logger is made, when signals are blocked
    /// for the threads to come.
    ///
    /// - Returns: why the log's file cannot be opened; then it goes to standard error.
    package static func open(_ configuration: ServerConfiguration) -> String? {
        LogThreshold.current = configuration.logLevel.loggerLevel
        var problem: String?
        var descriptor = configuration.logOutput == .standardOutput ? STDOUT_FILENO : STDERR_FILENO
        var file: (path: String, descriptor: Int32)?
        if case .file(let path) = configuration.logOutput {
            let opened = append(to: path)
            if opened >= 0 {
                descriptor = opened
                file = (path, opened)
            } else {
                problem = "open \(path): \(String(cString: strerror(errno)).lowercased())"
            }
        }
        let format = configuration.logFormat
        let writer = LineWriter(descriptor: descriptor) { missing in
            format.bytesNow(
                level: .warning, label: "etcdmain",
                text: "\(missing) log lines were dropped: whatever reads the log did not take them")
        }
        state.withLock { $0 = State(writer: writer, file: file) }
        LoggingSystem.bootstrap { LineLogHandler(label: $0, format: format, writer: writer) }
        return problem
    }

    /// Goes on in a new file of the old name: somebody has renamed the old one.
    ///
    /// - Returns: why that cannot be; the old one is written on then.
    package static func reopen() -> String? {
        guard let file = state.withLock(\.file) else { return nil }
        let opened = append(to: file.path)
        // The writer's thread may be in the middle of a line: it keeps its descriptor, which is of the new file with the next line.
        guard opened >= 0, dup2(opened, file.descriptor) >= 0, fcntl(file.descriptor, F_SETFD, FD_CLOEXEC) >= 0 else {
            return "open \(file.path): \(String(cString: strerror(errno)).lowercased())"
        }
        close(opened)
        return nil
    }

    private static func append(to path: String) -> Int32 { Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640) }

    /// The last thing before the process ends. A log that nobody reads delays it by so long, and not for ever.
    package static func flush(milliseconds: Int = 1000) {
        state.withLock(\.writer)?.flush(milliseconds: milliseconds)
    }
}

extension ServerConfiguration.LogLevel {
    /// swift-log has nothing above critical.
    package var loggerLevel: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warn: .warning
        case .error: .error
        case .panic, .fatal: .critical
        }
    }
}
