import NIOCore
import NIOPosix

/// Takes passwords and their hashes to a thread that works on one after the other, so that neither the loop nor more than one core is
/// ever busy with them.
///
/// Whoever sends wrong passwords gets a bounded share of that core: after each the thread rests three times as long as it has worked.
/// And each address waits in a line of its own, of which the heads take turns, so that one that sends very many delays no one else
/// by more than one. Confined to the loop.
final class PasswordDesk {
    private struct Job {
        let work: @Sendable () -> Bool
        let done: (Bool) -> Void
    }

    private let loop: any EventLoop
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private var lines: [[UInt8]: [Job]] = [:]
    /// Addresses with a line, the next one first.
    private var turns: [[UInt8]] = []
    private var count = 0
    private var isBusy = false
    private var isStarted = false

    private static let jobsMax = 512
    private static let jobsOfAddressMax = 16
    private static let restFactor = 3

    init(loop: any EventLoop) { self.loop = loop }

    deinit { thread.shutdownGracefully { _ in } }

    /// Does `work` on the thread and tells what it came to, on the loop. False at once, without asking: too many wait already.
    ///
    /// - Parameter work: true: it was no waste, and needs no rest.
    func submit(from address: [UInt8], _ work: @escaping @Sendable () -> Bool, done: @escaping (Bool) -> Void) -> Bool {
        let host = PasswordDesk.host(of: address)
        guard count < PasswordDesk.jobsMax, lines[host]?.count ?? 0 < PasswordDesk.jobsOfAddressMax else { return false }
        if lines[host] == nil { turns.append(host) }
        lines[host, default: []].append(Job(work: work, done: done))
        count += 1
        next()
        return true
    }

    private func next() {
        guard !isBusy, let host = turns.first, var line = lines[host] else { return }
        turns.removeFirst()
        let job = line.removeFirst()
        count -= 1
        lines[host] = line.isEmpty ? nil : line
        if !line.isEmpty { turns.append(host) }
        isBusy = true
        if !isStarted {
            isStarted = true
            thread.start()
        }
        let work = job.work
        let bound = NIOLoopBound((self, job), eventLoop: loop)
        thread.runIfActive(eventLoop: loop) {
            let start = NIODeadline.now()
            let isGood = work()
            return (isGood, NIODeadline.now() - start)
        }.whenComplete { result in
            let (desk, job) = bound.value
            // It fails only when the thread has ended, with the process.
            let (isGood, time) = (try? result.get()) ?? (false, .zero)
            if isGood {
                desk.isBusy = false
                desk.next()
            } else {
                desk.loop.scheduleTask(in: .nanoseconds(time.nanoseconds * Int64(PasswordDesk.restFactor))) {
                    let desk = bound.value.0
                    desk.isBusy = false
                    desk.next()
                }
            }
            job.done(isGood)
        }
    }

    /// Without the port: a client has as many of those as it likes.
    private static func host(of address: [UInt8]) -> [UInt8] {
        address.lastIndex(of: UInt8(ascii: ":")).map { Array(address[..<$0]) } ?? address
    }
}
