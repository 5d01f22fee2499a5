import Glibc
import Logging

/// A log line as a JSON object: `{"level":"info","ts":"2026-11-21T07:47:33.199688Z","logger":"embed","msg":"ready to serve client requests"}`.
///
/// Names and values of `level`, `ts` and `msg` are those of etcd's lines with `--logger=zap`.
package enum JSONLogLine {
    /// A line of this moment.
    package static func bytesNow(level: Logger.Level, label: String, text: String, metadata: Logger.Metadata = [:]) -> [UInt8] {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return bytes(
            level: level, label: label, text: text, metadata: metadata, seconds: Int64(time.tv_sec), microseconds: Int64(time.tv_nsec) / 1000)
    }

    /// One whole line with its newline. Long texts are cut as in the classic format.
    ///
    /// - Parameters:
    ///   - seconds: since 1970; shown in UTC.
    ///   - microseconds: 0 ..< 1,000,000.
    package static func bytes(
        level: Logger.Level, label: String, text: String, metadata: Logger.Metadata = [:], seconds: Int64, microseconds: Int64
    ) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(100 + label.utf8.count + min(text.utf8.count, ClassicLogLine.textBytesMax))
        line.append(contentsOf: "{\"level\":\"\(name(level))\",\"ts\":\"\(timestamp(seconds, microseconds))\",\"logger\":".utf8)
        append(label, to: &line)
        line.append(contentsOf: ",\"msg\":".utf8)
        append(text, to: &line)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) where !["level", "ts", "logger", "msg"].contains(key) {
            line.append(UInt8(ascii: ","))
            append(key, to: &line)
            line.append(UInt8(ascii: ":"))
            append("\(value)", to: &line)
        }
        line.append(contentsOf: "}\n".utf8)
        return line
    }

    /// zap has no notice.
    private static func name(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "debug"
        case .info, .notice: "info"
        case .warning: "warn"
        case .error: "error"
        case .critical: "fatal"
        }
    }

    private static func timestamp(_ seconds: Int64, _ microseconds: Int64) -> String {
        var time = time_t(seconds)
        var fields = tm()
        gmtime_r(&time, &fields)
        func digits(_ value: Int64, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
        }
        let day = "\(digits(Int64(fields.tm_year) + 1900, 4))-\(digits(Int64(fields.tm_mon) + 1, 2))-\(digits(Int64(fields.tm_mday), 2))"
        return "\(day)T\(digits(Int64(fields.tm_hour), 2)):\(digits(Int64(fields.tm_min), 2)):\(digits(Int64(fields.tm_sec), 2))"
            + ".\(digits(microseconds, 6))Z"
    }

    /// A JSON string with its quotes.
    private static func append(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        // A character that is cut in its middle must not be left so.
        let kept = text.utf8.count <= ClassicLogLine.textBytesMax ? text : String(decoding: text.utf8.prefix(ClassicLogLine.textBytesMax), as: UTF8.self)
        for byte in kept.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): line.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0x20...0x7e, 0x80...: line.append(byte)
            case UInt8(ascii: "\n"): line.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\t"): line.append(contentsOf: "\\t".utf8)
            default: line.append(contentsOf: "\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))".utf8)
            }
        }
        if kept.utf8.count < text.utf8.count { line.append(contentsOf: "... (\(text.utf8.count) bytes)".utf8) }
        line.append(UInt8(ascii: "\""))
    }
}
