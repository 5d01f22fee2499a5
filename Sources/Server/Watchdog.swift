import Glibc
import NIOCore

/// systemd's watchdog: this process says that it is alive, and is ended and started anew when it has not said so for `WATCHDOG_USEC`
/// (sd_watchdog_enabled(3)). The loop says it, because a process whose loop stands still serves nobody.
enum Watchdog {
    /// Microseconds between the words that systemd waits for; nil when it waits for none of this process.
    static func microseconds(_ environment: [String: String], pid: pid_t = getpid()) -> Int64? {
        guard let text = environment["WATCHDOG_USEC"], let number = Int64(text), number > 0 else { return nil }
        if let other = environment["WATCHDOG_PID"], other != String(pid) { return nil }
        return number
    }

    /// Twice as often as is asked for, as the manual advises.
    static func start(_ environment: [String: String], on loop: any EventLoop) {
        guard let interval = microseconds(environment), let socket = environment["NOTIFY_SOCKET"] else { return }
        let delay = TimeAmount.microseconds(max(interval / 2, 1000))
        loop.scheduleRepeatedTask(initialDelay: .zero, delay: delay) { _ in SystemNotification.send("WATCHDOG=1", socketPath: socket) }
    }
}
