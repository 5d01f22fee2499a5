import Glibc
import Logging
import Synchronization

/// Gives log events to a writer as lines of etcd's classic format. Whoever logs does not wait for the log: see `LineWriter`.
package struct ClassicLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    /// The package name etcd would show: `embed`, `etcdserver/membership`.
    private let label: String
    private let writer: LineWriter
    /// Of this logger alone.
    private var ownLevel: Logger.Level?

    package init(label: String, writer: LineWriter) {
        self.label = label
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
        var text = event.message.description
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { text += " \(key)=\(value)" }
        writer.write(ClassicLogLine.bytesNow(level: event.level, label: label, text: text), isLast: event.level == .critical)
    }
}

/// The log of the process.
package enum ProcessLog {
    private static let writer = Mutex<LineWriter?>(nil)

    /// Makes every `Logger` of the process write in etcd's format. Call once, before the first logger is made, when signals are blocked
    /// for the threads to come.
    package static func open(_ configuration: ServerConfiguration) {
        LogThreshold.current = configuration.logLevel.loggerLevel
        let descriptor = configuration.logOutput == .standardOutput ? STDOUT_FILENO : STDERR_FILENO
        let writer = LineWriter(descriptor: descriptor) { missing in
            ClassicLogLine.bytesNow(
                level: .warning, label: "etcdmain",
                text: "\(missing) log lines were dropped: whatever reads the log did not take them")
        }
        Self.writer.withLock { $0 = writer }
        LoggingSystem.bootstrap { ClassicLogHandler(label: $0, writer: writer) }
    }

    /// The last thing before the process ends. A log that nobody reads delays it by so long, and not for ever.
    package static func flush(milliseconds: Int = 1000) {
        writer.withLock { $0 }?.flush(milliseconds: milliseconds)
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
