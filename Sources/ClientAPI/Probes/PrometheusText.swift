import NIOCore

/// The text format of Prometheus, version 0.0.4.
enum MetricKind: String {
    case counter, gauge, histogram
}

extension ByteBuffer {
    mutating func writeType(_ name: String, _ kind: MetricKind) { writeString("# TYPE \(name) \(kind.rawValue)\n") }

    mutating func writeMetric(_ name: String, _ kind: MetricKind, _ value: UInt64) {
        writeType(name, kind)
        writeString("\(name) \(value)\n")
    }

    /// One line for each value of a label. The values are our own words: nothing in them needs escaping.
    mutating func writeMetric(_ name: String, _ kind: MetricKind, _ lines: [(label: String, is: String, value: String)]) {
        writeType(name, kind)
        for line in lines { writeString("\(name){\(line.label)=\"\(line.is)\"} \(line.value)\n") }
    }

    /// - Parameter counts: of each bucket by itself, and one more for all above the last bound.
    mutating func writeHistogram(_ name: String, _ labels: String, _ bounds: [String], _ counts: [UInt64], _ nanoseconds: UInt64) {
        let comma = labels.isEmpty ? "" : ","
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        var total: UInt64 = 0
        for (bound, count) in zip(bounds + ["+Inf"], counts) {
            total &+= count
            writeString("\(name)_bucket{\(labels)\(comma)le=\"\(bound)\"} \(total)\n")
        }
        writeString("\(name)_sum\(braces) \(Double(nanoseconds) / 1e9)\n\(name)_count\(braces) \(total)\n")
    }
}
