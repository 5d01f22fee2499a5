import Glibc
import Logging

/// Writes log events in etcd's classic format to a file descriptor, each line with one `write`, so that lines
/// of several threads and processes do not mix.
package struct ClassicLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    /// The package name etcd would show: `embed`, `etcdserver/membership`.
    private let label: String
    private let descriptor: Int32

    package init(label: String, level: Logger.Level, descriptor: Int32) {
        self.label = label
        logLevel = level
        self.descriptor = descriptor
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
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        Self.write(
            ClassicLogLine.bytes(
                level: event.level, label: label, text: text, seconds: Int64(time.tv_sec),
                microseconds: Int64(time.tv_nsec) / 1000),
            to: descriptor)
    }

    /// A log that cannot be written has nobody to tell; a full pipe or disk must not stop the server.
    private static func write(_ line: [UInt8], to descriptor: Int32) {
        var rest = line[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

extension ClassicLogHandler {
    /// Makes every `Logger` of the process write in this format. Call once, before the first logger is made.
    package static func install(_ configuration: ServerConfiguration) {
        let level = configuration.logLevel.loggerLevel
        let descriptor = configuration.logOutput == .standardOutput ? STDOUT_FILENO : STDERR_FILENO
        LoggingSystem.bootstrap { label in
            ClassicLogHandler(label: label, level: level, descriptor: descriptor)
        }
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
