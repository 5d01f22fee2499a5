import Glibc
import Logging

/// etcd's classic log format: `2026-11-21 07:47:33.199688 I | embed: ready to serve client requests`.
package enum ClassicLogLine {
    /// Bytes of a line's text; what is beyond is cut. A client's key may have any length, and many lines wait at a time.
    static let textBytesMax = 16 << 10

    /// A line of this moment.
    package static func bytesNow(level: Logger.Level, label: String, text: String) -> [UInt8] {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return bytes(
            level: level, label: label, text: text, seconds: Int64(time.tv_sec), microseconds: Int64(time.tv_nsec) / 1000)
    }

    /// One whole line with its newline.
    ///
    /// Control characters in `text` are escaped: keys and names come from clients, and a newline among them
    /// must not forge a line.
    ///
    /// - Parameters:
    ///   - seconds: since 1970; shown in local time, as etcd does.
    ///   - microseconds: 0 ..< 1,000,000.
    package static func bytes(
        level: Logger.Level, label: String, text: String, seconds: Int64, microseconds: Int64
    ) -> [UInt8] {
        var time = time_t(seconds)
        var fields = tm()
        localtime_r(&time, &fields)
        var line: [UInt8] = []
        line.reserveCapacity(40 + label.utf8.count + min(text.utf8.count, textBytesMax))
        append(Int64(fields.tm_year) + 1900, width: 4, to: &line)
        for (separator, value) in [
            ("-", fields.tm_mon + 1), ("-", fields.tm_mday), (" ", fields.tm_hour), (":", fields.tm_min),
            (":", fields.tm_sec),
        ] {
            line.append(contentsOf: separator.utf8)
            append(Int64(value), width: 2, to: &line)
        }
        line.append(UInt8(ascii: "."))
        append(microseconds, width: 6, to: &line)
        line.append(contentsOf: [UInt8(ascii: " "), letter(level)])
        line.append(contentsOf: " | ".utf8)
        append(label, to: &line)
        line.append(contentsOf: ": ".utf8)
        append(text, to: &line)
        if text.utf8.count > textBytesMax { line.append(contentsOf: "... (\(text.utf8.count) bytes)".utf8) }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private static func letter(_ level: Logger.Level) -> UInt8 {
        switch level {
        case .trace, .debug: UInt8(ascii: "D")
        case .info: UInt8(ascii: "I")
        case .notice: UInt8(ascii: "N")
        case .warning: UInt8(ascii: "W")
        case .error: UInt8(ascii: "E")
        case .critical: UInt8(ascii: "C")
        }
    }

    private static func append(_ value: Int64, width: Int, to line: inout [UInt8]) {
        let digits = String(value)
        for _ in digits.utf8.count..<max(width, digits.utf8.count) { line.append(UInt8(ascii: "0")) }
        line.append(contentsOf: digits.utf8)
    }

    private static func append(_ text: String, to line: inout [UInt8]) {
        for byte in text.utf8.prefix(textBytesMax) {
            if byte >= 0x20, byte != 0x7f {
                line.append(byte)
            } else {
                line.append(contentsOf: "\\x".utf8)
                if byte < 0x10 { line.append(UInt8(ascii: "0")) }
                line.append(contentsOf: String(byte, radix: 16).utf8)
            }
        }
    }
}
