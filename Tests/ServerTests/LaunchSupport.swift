import Logging

@testable import Server

extension Surroundings {
    /// A computer made of dictionaries: config files, directories, host names and local addresses.
    static func memory(
        files: [String: String] = [:], directories: [String: [String]] = [:], hosts: [String: String] = [:],
        addresses: Set<String> = ["127.0.0.1"], defaultAddress: String? = nil, descriptors: UInt64 = 1024,
        modes: [String: UInt32] = [:]
    ) -> Surroundings {
        Surroundings(
            readFile: { path in files[path].map { .text($0) } ?? .failed("no such file or directory") },
            list: { directory in directories[directory].map { .names($0) } ?? .missing },
            mode: { modes[$0] },
            resolve: { hosts[$0] },
            isLocalAddress: { addresses.contains($0) },
            defaultAddress: { defaultAddress },
            fileDescriptorLimit: { descriptors },
            now: { (1_795_248_453, 199_688) })
    }
}

/// What a start came to, in a form that tests compare: log lines lose their time.
struct Outcome {
    var code: Int32?
    var stdout = ""
    var stderr = ""
    var configuration = ServerConfiguration()
    var notices: [String] = []

    init(
        _ arguments: [String], environment: [String: String] = [:], surroundings: Surroundings = .memory()
    ) {
        switch launch(arguments: arguments, environment: environment, surroundings: surroundings) {
        case .run(let configuration, let notices):
            self.configuration = configuration
            self.notices = notices.map { "\(Self.letter($0.level)) | \($0.label): \($0.text)" }
        case .exit(let code, let stdout, let stderr):
            (self.code, self.stdout, self.stderr) = (code, stdout, stderr)
        }
    }

    /// Lines on standard error, log lines without their 27 characters of time.
    var lines: [String] {
        stderr.split(separator: "\n").map { line in
            let rest = line.dropFirst(27)
            return rest.dropFirst().hasPrefix(" | ") ? String(rest) : String(line)
        }
    }

    /// The reason in etcd's frame for bad combinations of flags.
    static func verifying(_ reason: String) -> String {
        "E | etcdmain: error verifying flags, \(reason). See 'etcd --help'."
    }

    private static func letter(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "D"
        case .info: "I"
        case .notice: "N"
        case .warning: "W"
        case .error: "E"
        case .critical: "C"
        }
    }
}
