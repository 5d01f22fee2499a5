import Foundation
import Synchronization

/// A child process; standard output and error go to one file. It does not outlive this object.
final class Child: Sendable {
    enum Ending: Equatable, Sendable {
        case exit(Int32)
        case signal(Int32)
    }

    let pid: pid_t
    private let output: String
    private let ending = Mutex<Ending?>(nil)

    /// - Parameters:
    ///   - environment: added to that of the tests, from which everything that configures the server is taken away.
    ///   - output: the file, made anew.
    init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], output: String
    ) throws {
        self.output = output
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var variables = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("ETCD_") && !$0.key.hasPrefix("ETCLITE_") && $0.key != "NOTIFY_SOCKET"
        }
        variables.merge(environment) { $1 }
        let argv = ([program] + arguments).map { strdup($0) } + [nil]
        let envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var child: pid_t = 0
        let result = posix_spawnp(&child, program, &actions, &attributes, argv, envp)
        guard result == 0 else { throw Failure("cannot run \(program): \(String(cString: strerror(result)))") }
        pid = child
    }

    deinit { _ = kill() }

    /// What it has printed so far.
    var text: String { String(decoding: (try? Files.read(output)) ?? [], as: UTF8.self) }

    /// How it ended; nil while it runs.
    var ended: Ending? {
        ending.withLock { ending in
            if let ending { return ending }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            let signal = status & 0x7f
            ending = signal == 0 ? .exit(status >> 8 & 0xff) : .signal(signal)
            return ending
        }
    }

    /// Nil when it still runs after that time.
    func wait(seconds: Double) -> Ending? {
        _ = eventually(within: seconds) { ended != nil }
        return ended
    }

    func send(_ signal: Int32) {
        // Not after it was waited for: the pid may be somebody else's by then.
        ending.withLock { if $0 == nil { _ = Glibc.kill(pid, signal) } }
    }

    /// `kill -9`, and waits for the end.
    @discardableResult
    func kill() -> Ending? {
        send(SIGKILL)
        return wait(seconds: 10)
    }
}

/// Runs a program to its end.
struct Run {
    let ending: Child.Ending
    let text: String

    init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], seconds: Double = 60
    ) throws {
        let output = FileManager.default.temporaryDirectory.path + "/etclite-e2e-run-\(UUID().uuidString)"
        defer { Files.remove(output) }
        let child = try Child(program, arguments, environment: environment, output: output)
        guard let ending = child.wait(seconds: seconds) else {
            child.kill()
            throw Failure("\(program) \(arguments) still runs after \(seconds) s; it said: \(child.text)")
        }
        self.ending = ending
        text = child.text
    }

    var isClean: Bool { ending == .exit(0) }
}

/// The programs under test, and the tools that look at what they leave.
enum Program {
    static let server = path("etclite")
    static let offlineTool = path("etcliteutl")
    static let client = path("etclitectl")

    /// `ETCLITE_BIN`, or the directory that the tests themselves were built into.
    private static func path(_ name: String) -> String {
        if let directory = ProcessInfo.processInfo.environment["ETCLITE_BIN"] { return directory + "/" + name }
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/" + name
    }

    static func etcliteutl(_ arguments: String..., environment: [String: String] = [:]) throws -> Run {
        try Run(offlineTool, arguments, environment: environment)
    }

    /// A plain SQLite shell, which knows nothing of us.
    static func sqlite3(_ file: String, _ sql: String, mode: String = "-list") throws -> Run {
        try Run("sqlite3", ["-batch", mode, file, sql])
    }

    static func isInstalled(_ name: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            access("\($0)/\(name)", X_OK) == 0
        }
    }
}

extension Program {
    /// The interpreter that Debian's Python packages belong to, wherever another one comes first on the path.
    struct Python: Sendable {
        let path = "/usr/bin/python3"

        func has(_ module: String) -> Bool { (try? Run(path, ["-c", "import \(module)"]))?.isClean ?? false }
    }

    static let python = Python()

    /// A real etcd to compare with: 3.4, the last one that serves the v2 API from its own store.
    static func speaksV2(_ etcd: String) -> Bool {
        isInstalled(etcd) && ((try? Run(etcd, ["--version"]))?.text.contains("etcd Version: 3.4.") ?? false)
    }
}
