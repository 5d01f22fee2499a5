import Discovery
import NIOCore

/// The command line of `etclite gateway start` (server.md §9.2); its words are those of etcd's.
package struct GatewayOptions: Equatable, Sendable {
    package var endpoints = ["127.0.0.1:2379"]
    package var listenAddress = "127.0.0.1:23790"
    package var retryMilliseconds: Int64 = 60_000
    package var discoveryDomain = ""
    package var discoveryServiceName = ""
    package var isInsecureDiscoveryAllowed = false
    /// Who must have signed the certificates of endpoints that DNS tells; empty: the system's authorities.
    package var trustedCAFile = ""

    package init() {}
}

enum GatewayLaunch: Equatable {
    case run(GatewayOptions)
    case exit(code: Int32, stdout: String, stderr: String)

    static let usage = """
        gateway related command

        Usage:
          etclite gateway [command]

        Available Commands:
          start       start the gateway

        Flags:
          -h, --help   help for gateway

        Use "etclite gateway [command] --help" for more information about a command.

        """

    static let startUsage = """
        Usage:
          etclite gateway start [flags]

        Flags:
              --discovery-srv string        DNS domain whose SRV records name the endpoints
              --discovery-srv-name string   suffix of the service's name in the SRV records
              --endpoints strings           comma separated etcd cluster endpoints (default [127.0.0.1:2379])
          -h, --help                        help for start
              --insecure-discovery          accept SRV records of endpoints without TLS
              --listen-addr string          listen address (default "127.0.0.1:23790")
              --retry-delay duration        time after which an endpoint that failed is tried again (default 1m0s)
              --trusted-ca-file string      CA that must have signed the certificates of endpoints from SRV records

        """

    /// - Parameter arguments: behind `gateway`.
    init(_ arguments: [String]) {
        guard arguments.first == "start" else {
            self = .exit(code: 0, stdout: Self.usage, stderr: "")
            return
        }
        var options = GatewayOptions()
        var rest = arguments.dropFirst()
        while let word = rest.popFirst() {
            if word == "-h" || word == "--help" {
                self = .exit(code: 0, stdout: "start the gateway\n\n" + Self.startUsage, stderr: "")
                return
            }
            // Words that are no flags are passed over, as etcd does.
            guard word.hasPrefix("-"), word != "-", word != "--" else { continue }
            let name = word.drop { $0 == "-" }.prefix { $0 != "=" }
            let inline = word.firstIndex(of: "=").map { String(word[word.index(after: $0)...]) }
            if name == "insecure-discovery" {
                guard let value = OptionValue.boolean(inline ?? "true") else {
                    self = Self.refused("invalid argument \(Quoted.go(inline ?? "")) for \"--insecure-discovery\" flag")
                    return
                }
                options.isInsecureDiscoveryAllowed = value
                continue
            }
            guard Self.names.contains(String(name)) else {
                self = Self.refused("unknown flag: --\(name)")
                return
            }
            guard let value = inline ?? rest.popFirst() else {
                self = Self.refused("flag needs an argument: --\(name)")
                return
            }
            if let problem = options.set(String(name), value) {
                self = Self.refused("invalid argument \(Quoted.go(value)) for \"--\(name)\" flag: \(problem)")
                return
            }
        }
        self = .run(options)
    }

    private static let names = ["endpoints", "listen-addr", "retry-delay", "discovery-srv", "discovery-srv-name", "trusted-ca-file"]

    private static func refused(_ reason: String) -> GatewayLaunch {
        .exit(code: 1, stdout: "", stderr: "Error: \(reason)\n\(startUsage)\n\(reason)\n")
    }
}

extension GatewayOptions {
    /// - Returns: what is wrong with the value.
    fileprivate mutating func set(_ name: String, _ value: String) -> String? {
        switch name {
        case "endpoints": endpoints = Blanks.items(value)
        case "listen-addr": listenAddress = value
        case "discovery-srv": discoveryDomain = value
        case "discovery-srv-name": discoveryServiceName = value
        case "trusted-ca-file": trustedCAFile = value
        default:
            guard let milliseconds = GoDuration.milliseconds(value), (1...86_400_000).contains(milliseconds) else {
                return "not a duration between 1ms and 24h"
            }
            retryMilliseconds = milliseconds
        }
        return nil
    }

    /// What stands in front of `host:port` does not matter: etcd's endpoints are URLs elsewhere.
    ///
    /// - Throws: `.plain` with etcd's sentence.
    package func remotes() throws(StartupFailure) -> [(host: String, port: Int)] {
        guard !endpoints.isEmpty else { throw .plain("no endpoints found") }
        var remotes: [(host: String, port: Int)] = []
        for endpoint in endpoints {
            var bare = endpoint[...]
            for scheme in ["http://", "https://"] where bare.lowercased().hasPrefix(scheme) { bare = bare.dropFirst(scheme.count) }
            if bare.hasSuffix("/") { bare = bare.dropLast() }
            guard let address = HostAndPort(bare), let port = address.port, port != 0, !address.host.isEmpty else {
                throw .plain("error parsing endpoint \(Quoted.go(endpoint))")
            }
            remotes.append((address.host, Int(port)))
        }
        return remotes
    }
}

/// Go's `time.ParseDuration`, to the millisecond.
enum GoDuration {
    static func milliseconds(_ text: String) -> Int64? {
        guard OptionValue.isDuration(text), !text.hasPrefix("-") else { return nil }
        let units: [(String, Double)] = [("ns", 1e-6), ("us", 1e-3), ("µs", 1e-3), ("μs", 1e-3), ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        var total = 0.0
        var rest = text.hasPrefix("+") ? text.dropFirst() : text[...]
        if rest == "0" { return 0 }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(number), let scale = units.first(where: { $0.0 == unit })?.1 else { return nil }
            total += value * scale
        }
        return total < 1e15 ? Int64(total) : nil
    }
}
