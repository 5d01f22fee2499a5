#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Where a command prints and reads. Tests collect instead.
struct Console: Sendable {
    let out: @Sendable (String) -> Void
    let err: @Sendable (String) -> Void
    /// All of stdin, bytes as they are.
    let readInput: @Sendable () -> [UInt8]
    /// One line without echo, nil at the end of the input.
    let readPassword: @Sendable (_ prompt: String) -> String?
    /// Of what goes to `out`.
    var style = Style.plain

    func line(_ text: String) { out(text + "\n") }
    func errorLine(_ text: String) { err(text + "\n") }

    /// The process's own streams. Nothing is buffered: a watcher's reader sees each event when it happens, and a
    /// signal loses nothing.
    static func standard(_ environment: [String: String]) -> Console {
        Console(
            out: { write($0, to: STDOUT_FILENO) },
            err: { write($0, to: STDERR_FILENO) },
            readInput: readAll,
            readPassword: readLineWithoutEcho,
            style: Style(of: STDOUT_FILENO, environment: environment))
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if errno == EPIPE {
                // The event loop's library ignores SIGPIPE for the whole process; a watch into `head` must still end.
                signal(SIGPIPE, SIG_DFL)
                raise(SIGPIPE)
            } else if errno == EAGAIN {
                // Somebody who shares the pipe or terminal has told it not to wait.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, -1)
            } else if errno != EINTR {
                return
            }
        }
    }

    private static func readAll() -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = chunk.withUnsafeMutableBytes { read(STDIN_FILENO, $0.baseAddress, $0.count) }
            if count > 0 {
                all += chunk.prefix(count)
            } else if count == 0 || errno != EINTR {
                return all
            }
        }
    }

    private static func readLineWithoutEcho(prompt: String) -> String? {
        write(prompt, to: STDOUT_FILENO)
        var saved = termios()
        let isTerminal = tcgetattr(STDIN_FILENO, &saved) == 0
        if isTerminal {
            var silent = saved
            silent.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        }
        defer {
            if isTerminal { tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved) }
            write("\n", to: STDOUT_FILENO)
        }
        return readLine(strippingNewline: true)
    }
}

/// `write(2)`, under a name that the method above does not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
