import Glibc
import Logging
import NIOCore
import NIOPosix
import ReplicaHost
import Storage
import Wire

/// The process: reads its options, assembles the rooms, serves until a signal comes, and stops in order.
package enum EtcliteServer {
    /// - Parameter arguments: without the program's name.
    package static func run(arguments: [String], environment: [String: String]) -> Never {
        Descriptors.raiseLimit()
        if arguments.first == "gateway" { GatewayProgram.run(Array(arguments.dropFirst()), environment: environment) }
        switch launch(arguments: arguments, environment: environment) {
        case .exit(let code, let stdout, let stderr):
            FileOutput.write(stdout, to: STDOUT_FILENO)
            FileOutput.write(stderr, to: STDERR_FILENO)
            exit(code)
        case .run(let configuration, let notices):
            // Before any thread is made, so that all inherit it: these signals are for the main thread alone.
            Signals.blockForMainThread()
            Allocator.returnLargeBlocks()
            let logProblem = ProcessLog.open(configuration)
            for notice in notices { Logger(label: notice.label).log(level: notice.level, "\(notice.text)") }
            if let logProblem { Assembly.die("cannot log there: \(logProblem)") }
            let service = Assembly(configuration, arguments: arguments, environment: environment)
            service.start()
            let terminal = Terminal()
            var signal = Signals.wait()
            while signal == SIGHUP, !terminal.isGone {
                service.reload { configurationNow(arguments, environment) }
                signal = Signals.wait()
            }
            service.stop(because: signal)
            ProcessLog.flush()
            Signals.dieBy(signal)
        }
    }
}

extension EtcliteServer {
    /// As the same command line gives it now: a configuration file may have changed.
    private static func configurationNow(_ arguments: [String], _ environment: [String: String]) -> ServerConfiguration? {
        switch launch(arguments: arguments, environment: environment) {
        case .run(let configuration, _): return configuration
        case .exit(_, _, let stderr):
            let reason = stderr.split(separator: "\n").last.map(String.init) ?? ""
            Logger(label: "etcdmain").error("the configuration cannot be read any more, and stays as it is: \(reason)")
            return nil
        }
    }
}

/// The terminal that the process was started in, if it was: when its window is closed SIGHUP comes too, and means the end.
private struct Terminal {
    private let wasThere = isatty(STDIN_FILENO) == 1

    var isGone: Bool { wasThere && isatty(STDIN_FILENO) != 1 }
}

/// The signals that the main thread waits for: those that end the process in order, and SIGHUP (server.md §8).
enum Signals {
    private static var awaited: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        sigaddset(&set, SIGHUP)
        return set
    }

    static func blockForMainThread() {
        var set = awaited
        pthread_sigmask(SIG_BLOCK, &set, nil)
        // A client that went away shows as an error of write; these two are ignored as etcd ignores them.
        for ignored in [SIGPIPE, SIGUSR1, SIGUSR2] { signal(ignored, SIG_IGN) }
    }

    /// One has come and waits for `wait`.
    static var isEndAsked: Bool {
        var pending = sigset_t()
        sigpending(&pending)
        return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1
    }

    static func wait() -> Int32 {
        var set = awaited
        var number: Int32 = 0
        while sigwait(&set, &number) != 0 {}
        return number
    }

    /// So that a shell sees 143 or 130; the first process of a container exits with 0.
    static func dieBy(_ number: Int32) -> Never {
        if getpid() == 1 { exit(0) }
        signal(number, SIG_DFL)
        var set = awaited
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        kill(getpid(), number)
        exit(128 + number)
    }
}

enum FileOutput {
    static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
