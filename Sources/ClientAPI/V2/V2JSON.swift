import HTTPTransport
import Keyspace
import NIOCore
import ReplicaHost

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
        switch reading {
        case .file(let node):
            writeStaticString("{\"action\":\"get\",\"node\":")
            writeNode(node, at: path, now: now, showsValue: true)
            writeStaticString("}\n")
        case .directory(let node, let listed):
            var writer = ListingWriter(now: now)
            writer.begin(node, at: path, into: &self)
            for line in listed { writer.add(line, into: &self) }
            writer.end(into: &self)
        }
    }

    private mutating func writeNode(_ node: TreeNode, at path: TreePath, now: Int64, showsValue: Bool) {
        openNode(node, at: path, now: now, showsValue: showsValue)
        closeNode(node)
    }

    /// Everything up to where `nodes` would stand.
    fileprivate mutating func openNode(_ node: TreeNode, at path: TreePath, now: Int64, showsValue: Bool) {
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

    private mutating func closeNode(_ node: TreeNode) { closeNode(created: node.created, modified: node.modified) }

    fileprivate mutating func closeNode(created: UInt64, modified: UInt64) {
        if modified != 0 {
            writeStaticString(",\"modifiedIndex\":")
            writeDecimal(modified)
        }
        if created != 0 {
            writeStaticString(",\"createdIndex\":")
            writeDecimal(created)
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

/// The answer to the get of a directory, line by line.
///
/// The directories on the way down to the line being written are a stack, not calls: how deep a tree gets is the choice of strangers.
struct ListingWriter: ListingEncoding {
    /// What a shown `ttl` is counted from, nanoseconds since 1970 UTC.
    let now: Int64
    /// Of the directory that was asked for; nil for the root.
    private var directory: (created: UInt64, modified: UInt64)?
    /// Invariant: open[d] is the node at depth d + 1 whose closing is not written yet.
    private var open: [(created: UInt64, modified: UInt64)] = []
    private var isEmpty = true

    init(now: Int64) { self.now = now }

    mutating func begin(_ directory: TreeNode?, at path: TreePath, into body: inout ByteBuffer) {
        self.directory = directory.map { ($0.created, $0.modified) }
        body.writeStaticString("{\"action\":\"get\",\"node\":")
        if let directory {
            body.openNode(directory, at: path, now: now, showsValue: false)
        } else {
            body.writeStaticString("{\"dir\":true")
        }
    }

    mutating func add(_ line: ListedNode, into body: inout ByteBuffer) {
        if line.depth > open.count {
            body.writeStaticString(",\"nodes\":[")
        } else {
            close(downTo: line.depth, &body)
            body.writeStaticString(",")
        }
        isEmpty = false
        body.openNode(line.node, at: line.path, now: now, showsValue: true)
        open.append((line.node.created, line.node.modified))
    }

    mutating func end(into body: inout ByteBuffer) {
        close(downTo: 1, &body)
        if !isEmpty { body.writeStaticString("]") }
        if let directory {
            body.closeNode(created: directory.created, modified: directory.modified)
        } else {
            body.writeStaticString("}")
        }
        body.writeStaticString("}\n")
    }

    /// Ends the open nodes of `depth` and below, and the lists of those below.
    private mutating func close(downTo depth: Int, _ body: inout ByteBuffer) {
        while open.count >= depth, let node = open.popLast() {
            body.closeNode(created: node.created, modified: node.modified)
            if open.count >= depth { body.writeStaticString("]") }
        }
    }
}
