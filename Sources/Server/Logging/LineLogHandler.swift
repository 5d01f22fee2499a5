import Logging

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
    /// Each gets every line.
    private let writers: [LineWriter]
    /// Of this logger alone.
    private var ownLevel: Logger.Level?

    package init(label: String, format: LogFormat = .text, writers: [LineWriter]) {
        self.label = label
        self.format = format
        self.writers = writers
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
        for writer in writers { writer.write(line, isLast: event.level == .critical) }
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
