import Dispatch
import Foundation
import Glibc
import Synchronization

/// Carries lines to a file descriptor on a thread of its own: whoever writes one never waits, whatever is at the other end.
///
/// Lines keep their order. Those that find no room are dropped, and their number is written in their place as soon as there is room
/// again; so is the number of those that the system refused to take (a full disk, a pipe whose reader is gone).
package final class LineWriter: Sendable {
    private struct Item {
        /// Empty: only `missing` is to be told.
        var line: [UInt8]
        /// Lines that were dropped just before this one.
        var missing: Int
    }

    private struct Waiting {
        var items: [Item] = []
        /// Of all lines that are not written yet, also of those that the thread has taken.
        var bytes = 0
        /// After the last item.
        var missing = 0
        /// Lines are dropped until half of the room is free: not every second one, with a notice between.
        var isFull = false
        /// Counts of lines that were to be written, and of those that have been, or never will be.
        var accepted: UInt64 = 0
        /// The last words are said.
        var isOver = false
        var done: UInt64 = 0
    }

    /// A line that says how many others are not there.
    package typealias Notice = @Sendable (_ missing: Int) -> [UInt8]

    private let descriptor: Int32
    private let bytesMax: Int
    private let notice: Notice
    private let waiting = Mutex(Waiting())
    private let wake = DispatchSemaphore(value: 0)

    /// The thread lives as long as the process.
    ///
    /// - Parameter bytesMax: of the lines that wait.
    package init(descriptor: Int32, bytesMax: Int = 1 << 20, notice: @escaping Notice) {
        self.descriptor = descriptor
        self.bytesMax = bytesMax
        self.notice = notice
        let thread = Thread { [self] in run() }
        thread.name = "log-lines"
        thread.stackSize = 256 << 10
        thread.start()
    }

    /// Never waits.
    ///
    /// - Parameters:
    ///   - line: with its newline.
    ///   - isLast: the process will end because of what it says: it finds room in any case, and nothing comes behind it.
    package func write(_ line: [UInt8], isLast: Bool = false) {
        let wakes = waiting.withLock { waiting in
            // Other threads know nothing of the end yet.
            if waiting.isOver { return false }
            waiting.isOver = isLast
            if waiting.isFull, waiting.bytes <= bytesMax / 2 { waiting.isFull = false }
            if !isLast, waiting.isFull || waiting.bytes + line.count > bytesMax {
                waiting.isFull = true
                waiting.missing += 1
                return false
            }
            waiting.items.append(Item(line: line, missing: waiting.missing))
            waiting.missing = 0
            waiting.bytes += line.count
            waiting.accepted += 1
            return waiting.items.count == 1
        }
        if wakes { wake.signal() }
    }

    /// Waits until the lines so far are written, but not longer than that.
    ///
    /// - Returns: whether they are.
    @discardableResult
    package func flush(milliseconds: Int) -> Bool {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        let target = waiting.withLock(\.accepted)
        while waiting.withLock({ $0.done < target }) {
            if ContinuousClock.now >= end { return false }
            usleep(1000)
        }
        return true
    }

    // MARK: The thread

    private func run() {
        var output = Output(descriptor: descriptor, notice: notice)
        while true {
            wake.wait()
            while let items = take() {
                for item in items {
                    output.put(item.line, missing: item.missing)
                    waiting.withLock { waiting in
                        waiting.bytes -= item.line.count
                        if !item.line.isEmpty { waiting.done += 1 }
                    }
                }
            }
        }
    }

    private func take() -> [Item]? {
        waiting.withLock { waiting in
            if waiting.items.isEmpty {
                guard waiting.missing > 0 else { return nil }
                defer { waiting.missing = 0 }
                return [Item(line: [], missing: waiting.missing)]
            }
            var items: [Item] = []
            swap(&items, &waiting.items)
            return items
        }
    }

    /// The thread's own: what has become of the lines at the descriptor.
    private struct Output {
        let descriptor: Int32
        let notice: Notice
        /// Not written, and not told yet.
        private var missing = 0
        /// The last line was written in part.
        private var isMidLine = false

        init(descriptor: Int32, notice: @escaping Notice) {
            self.descriptor = descriptor
            self.notice = notice
        }

        mutating func put(_ line: [UInt8], missing more: Int) {
            missing += more
            if missing > 0, write(notice(missing)) { missing = 0 }
            if !line.isEmpty, !write(line) { missing += 1 }
        }

        /// A log that cannot be written has nobody to tell. Each line with one `write`, so that lines of several processes do not mix.
        private mutating func write(_ line: [UInt8]) -> Bool {
            var rest = (isMidLine ? [UInt8(ascii: "\n")] + line : line)[...]
            let count = rest.count
            while !rest.isEmpty {
                let taken = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if taken < 0, errno == EINTR { continue }
                if taken < 0, errno == EAGAIN {
                    // Somebody who shares the pipe or terminal has told it not to wait.
                    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&ready, 1, -1)
                    continue
                }
                guard taken > 0 else {
                    if rest.count < count { isMidLine = true }
                    return false
                }
                rest = rest.dropFirst(taken)
            }
            isMidLine = false
            return true
        }
    }
}
