import HTTPTransport
import Keyspace
import NIOCore

/// Writes the answers of the keys API, byte for byte as etcd does (v2-keys.md §5), straight into a buffer.
extension ByteBuffer {
    /// The answer to a change, and what watchers get of it; ends in a newline.
    ///
    /// - Parameter onlyAction: For `noValueOnSuccess`.
    mutating func writeEvent(_ event: Event, onlyAction: Bool = false) {
        writeStaticString("{\"action\":\"")
        writeStaticString(event.action.name)
        if onlyAction {
            writeStaticString("\"}\n")
            return
        }
        writeStaticString("\",\"node\":")
        writeNode(event.node, at: event.path, now: event.time, showsValue: !event.action.isRemoval)
        if let previous = event.previous {
            writeStaticString(",\"prevNode\":")
            writeNode(previous, at: event.path, now: event.time, showsValue: true)
        }
        writeStaticString("}\n")
    }

    /// The answer to a get; ends in a newline.
    ///
    /// - Parameter now: What a shown `ttl` is counted from, nanoseconds since 1970 UTC.
    mutating func writeReading(_ reading: Reading, at path: TreePath, now: Int64) {
        writeStaticString("{\"action\":\"get\",\"node\":")
        switch reading {
        case .file(let node): writeNode(node, at: path, now: now, showsValue: true)
        case .directory(let node, let listed): writeListing(node, at: path, listed, now: now)
        }
        writeStaticString("}\n")
    }

    private mutating func writeNode(_ node: TreeNode, at path: TreePath, now: Int64, showsValue: Bool) {
        openNode(node, at: path, now: now, showsValue: showsValue)
        closeNode(node)
    }

    /// The directories on the way down to the node being written are a stack, not calls: how deep a tree gets is the
    /// choice of strangers.
    private mutating func writeListing(_ directory: TreeNode?, at path: TreePath, _ listed: [ListedNode], now: Int64) {
        if let directory {
            openNode(directory, at: path, now: now, showsValue: false)
        } else {
            writeStaticString("{\"dir\":true")
        }
        // Invariant: open[d] is the node at depth d + 1 whose closing is not written yet.
        var open: [TreeNode] = []
        var isFirst = true
        for line in listed {
            if line.depth > open.count {
                writeStaticString(",\"nodes\":[")
            } else {
                closeNodes(&open, downTo: line.depth)
                writeStaticString(",")
            }
            isFirst = false
            openNode(line.node, at: line.path, now: now, showsValue: true)
            open.append(line.node)
        }
        closeNodes(&open, downTo: 1)
        if !isFirst { writeStaticString("]") }
        if let directory { closeNode(directory) } else { writeStaticString("}") }
    }

    /// Ends the open nodes of `depth` and below, and the lists of those below.
    private mutating func closeNodes(_ open: inout [TreeNode], downTo depth: Int) {
        while open.count >= depth, let node = open.popLast() {
            closeNode(node)
            if open.count >= depth { writeStaticString("]") }
        }
    }

    /// Everything up to where `nodes` would stand.
    private mutating func openNode(_ node: TreeNode, at path: TreePath, now: Int64, showsValue: Bool) {
        writeStaticString("{\"key\":")
        writeJSONString(path.bytes)
        if node.isDirectory {
            writeStaticString(",\"dir\":true")
        } else if showsValue {
            writeStaticString(",\"value\":")
            writeJSONString(node.value)
        }
        if let expiration = node.expiration {
            writeStaticString(",\"expiration\":\"")
            writeTime(expiration)
            writeStaticString("\"")
            let left = Self.secondsLeft(until: expiration, from: now)
            if left != 0 {
                writeStaticString(",\"ttl\":")
                writeDecimal(left)
            }
        }
    }

    private mutating func closeNode(_ node: TreeNode) {
        if node.modified != 0 {
            writeStaticString(",\"modifiedIndex\":")
            writeDecimal(node.modified)
        }
        if node.created != 0 {
            writeStaticString(",\"createdIndex\":")
            writeDecimal(node.created)
        }
        writeStaticString("}")
    }

    /// Rounded up, so that right after setting it a TTL shows as it was given (v2-keys.md §11); below zero when overdue.
    static func secondsLeft(until expiration: Int64, from now: Int64) -> Int64 {
        let (left, isFar) = expiration.subtractingReportingOverflow(now)
        if isFar { return expiration > now ? Int64.max / 1_000_000_000 : Int64.min / 1_000_000_000 }
        return left / 1_000_000_000 + (left % 1_000_000_000 > 0 ? 1 : 0)
    }

    /// RFC 3339 in UTC, up to nine fraction digits, zeros at the end cut off.
    mutating func writeTime(_ nanoseconds: Int64) {
        var seconds = nanoseconds / 1_000_000_000
        var fraction = nanoseconds % 1_000_000_000
        if fraction < 0 {
            seconds -= 1
            fraction += 1_000_000_000
        }
        let time = CivilTime(unixSeconds: seconds)
        writePadded(time.year, digits: 4)
        writeStaticString("-")
        writePadded(time.month, digits: 2)
        writeStaticString("-")
        writePadded(time.day, digits: 2)
        writeStaticString("T")
        writePadded(time.hour, digits: 2)
        writeStaticString(":")
        writePadded(time.minute, digits: 2)
        writeStaticString(":")
        writePadded(time.second, digits: 2)
        if fraction > 0 {
            var digits = 9
            while fraction % 10 == 0 {
                fraction /= 10
                digits -= 1
            }
            writeStaticString(".")
            writePadded(Int(fraction), digits: digits)
        }
        writeStaticString("Z")
    }

    /// Zeros in front; a longer number is not cut.
    private mutating func writePadded(_ number: Int, digits: Int) {
        var bound = 1
        for _ in 1..<digits { bound *= 10 }
        while bound > 1, number < bound {
            writeStaticString("0")
            bound /= 10
        }
        writeDecimal(UInt64(number.magnitude))
    }
}

extension Event.Action {
    /// As clients see it; `cluster` never reaches them.
    var name: StaticString {
        switch self {
        case .set: "set"
        case .create: "create"
        case .update: "update"
        case .compareAndSwap: "compareAndSwap"
        case .delete: "delete"
        case .compareAndDelete: "compareAndDelete"
        case .expire: "expire"
        case .cluster: "cluster"
        }
    }
}
