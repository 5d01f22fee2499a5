import PeerTransport
import Testing
import Wire

@testable import Server

@Suite("Start-up checks (server.md §3)")
struct StartupChecksTests {
    @Test(
        "Flags that do not fit together",
        arguments: [
            (
                ["--listen-client-urls=http://example.com:22379", "--advertise-client-urls=http://a:1"],
                "expected IP in URL for binding (http://example.com:22379)"
            ),
            (
                ["--listen-peer-urls=http://example.com:22380"],
                "expected IP in URL for binding (http://example.com:22380)"
            ),
            (
                ["--listen-metrics-urls=http://example.com:22381"],
                "expected IP in URL for binding (http://example.com:22381)"
            ),
            (
                ["--initial-advertise-peer-urls=http://:22380"],
                #"--initial-advertise-peer-urls "http://:22380" must be "host:port" (unexpected empty host (http://:22380))"#
            ),
            (
                ["--advertise-client-urls=http://:22379"],
                #"--advertise-client-urls "http://:22379" must be "host:port" (unexpected empty host (http://:22379))"#
            ),
            (
                ["--discovery=http://x", "--initial-cluster=default=http://127.0.0.1:22380"],
                #"multiple discovery or bootstrap flags are set. Choose one of "initial-cluster", "discovery" or "discovery-srv""#
            ),
            (
                ["--heartbeat-interval=100", "--election-timeout=400"],
                "--election-timeout[400ms] should be at least as 5 times as --heartbeat-interval[100ms]"
            ),
            (
                ["--heartbeat-interval=18446744073709551615"],
                "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[18446744073709551615ms]"
            ),
            (
                ["--election-timeout=60000"],
                "--election-timeout[60000ms] is too long, and should be set less than 50000ms"
            ),
            (["--heartbeat-interval=0"], "--heartbeat-interval must be >0 (set to 0ms)"),
            (["--log-outputs=foo"], #"unknown log-output "foo" (only supports "default", "stderr", "stdout")"#),
            (["--log-outputs=default,stdout"], #"multi logoutput for "default" is not supported yet"#),
            (["--logger=foo"], #"unknown logger option "foo""#),
            (
                ["--log-level=foo"],
                #"unknown log-level "foo" (only supports "debug", "info", "warn", "error", "panic", "fatal")"#
            ),
            (["--auto-compaction-mode=foo"], #"unknown auto-compaction-mode "foo""#),
            (["--max-connections=0"], "--max-connections must be between 1 and 1000000 (set to 0)"),
            (
                ["--max-request-body-bytes=66056000"],
                "--max-request-body-bytes (66056000) and --max-header-bytes (1048576) allow a write of 67104576 bytes, "
                    + "and members can send each other 67104568 at most"
            ),
            (
                ["--max-request-body-bytes=1000", "--max-header-bytes=67108864"],
                "--max-request-body-bytes (1000) and --max-header-bytes (67108864) allow a write of 67109864 bytes, "
                    + "and members can send each other 67104568 at most"
            ),
            (
                ["--history-events=18446744073709551615"],
                "--history-events must be between 1 and 100000000 (set to 18446744073709551615)"
            ),
            (
                ["--advertise-client-urls=http://a:1", "-addr=127.0.0.1:4001"],
                "Set only one of flags -advertise-client-urls and -addr"
            ),
            (
                ["--listen-peer-urls=http://127.0.0.1:1", "-peer-bind-addr=0.0.0.0"],
                "Set only one of flags -listen-peer-urls and -peer-bind-addr"
            ),
        ])
    func verification(arguments: [String], reason: String) {
        let outcome = Outcome(arguments)
        #expect(outcome.code == 1)
        #expect(outcome.lines.last == Outcome.verifying(reason))
    }

    @Test("Listening somewhere needs an advertised URL")
    func advertising() {
        let outcome = Outcome(["--listen-client-urls=http://127.0.0.1:22379"])
        #expect(outcome.code == 1)
        #expect(
            outcome.lines == [
                Outcome.verifying("--advertise-client-urls is required when --listen-client-urls is set explicitly"),
                "E | etcdmain: When listening on specific address(es), this etcd process must advertise accessible url(s) to each connected client.",
            ])
    }

    @Test(
        "URLs that are none",
        arguments: [
            ("http://127.0.0.1", #"URL address does not have the form "host:port": http://127.0.0.1"#),
            ("http://", #"URL address does not have the form "host:port": http://"#),
            ("http://127.0.0.1:22379/foo", "URL must not contain a path: http://127.0.0.1:22379/foo"),
            ("http://h:1/", "URL must not contain a path: http://h:1/"),
            ("ftp://h:1", "URL scheme must be http, https, unix, or unixs: ftp://h:1"),
            ("h:1", "URL scheme must be http, https, unix, or unixs: h:1"),
            ("//h:1", "URL scheme must be http, https, unix, or unixs: //h:1"),
            ("127.0.0.1:22379", #"parse "127.0.0.1:22379": first path segment in URL cannot contain colon"#),
            (":1", #"parse ":1": missing protocol scheme"#),
            ("http://a:b", #"parse "http://a:b": invalid port ":b" after host"#),
            ("http://a:99999", #"parse "http://a:99999": invalid port ":99999" after host"#),
            ("unix://foo", #"URL address does not have the form "host:port": unix://foo"#),
            ("http://a:1,", "URL scheme must be http, https, unix, or unixs: "),
        ])
    func urls(text: String, problem: String) {
        let outcome = Outcome(["--advertise-client-urls=\(text)"])
        #expect(outcome.code == 2)
        #expect(outcome.lines.first == "invalid value \(Quoted.go(text)) for flag -advertise-client-urls: \(problem)")
    }

    @Test("Socket files: etcd's form and a path")
    func sockets() throws {
        #expect(try EndpointURL(parsing: "unix://name:1").socketPath == "name:1")
        #expect(try EndpointURL(parsing: "unix:///run/etclite.sock").socketPath == "/run/etclite.sock")
        let url = try EndpointURL(parsing: "http://[::1]:2379")
        #expect((url.host, url.port, url.hostAndPort, url.socketPath) == ("::1", 2379, "[::1]:2379", nil))
        let outcome = Outcome(["--listen-client-urls=unix:///run/x", "--advertise-client-urls=http://a:1"])
        #expect(outcome.configuration.listenClientURLs.map(\.socketPath) == ["/run/x"])
    }

    @Test(
        "Failures past the flags",
        arguments: [
            (
                ["--listen-client-urls=https://127.0.0.1:22379", "--advertise-client-urls=https://127.0.0.1:22379"],
                "TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:22379 with HTTPS scheme"
            ),
            (
                ["--listen-peer-urls=https://127.0.0.1:22380"],
                "cannot listen on TLS for 127.0.0.1:22380: KeyFile and CertFile are not presented"
            ),
            (["--auto-compaction-retention=foo"], #"error parsing CompactionRetention: time: invalid duration "foo""#),
        ])
    func fatal(arguments: [String], text: String) {
        let outcome = Outcome(arguments)
        #expect(outcome.code == 1)
        #expect(outcome.lines.last == "C | etcdmain: \(text)")
    }

    @Test("Too few file descriptors")
    func descriptors() {
        let outcome = Outcome([], surroundings: .memory(descriptors: 150))
        #expect(
            outcome.lines.last
                == "C | etcdmain: file descriptor limit[150] of etcd process is too low, and should be set higher than 150 to ensure internal usage"
        )
    }

    @Test(
        "Features of later versions are refused, never ignored",
        arguments: [
            "--unsafe-no-fsync", "--wal-dir=/w", "--experimental-enable-v2v3=/p",
        ])
    func refused(flag: String) {
        let outcome = Outcome([flag])
        let name = "--" + flag.drop { $0 == "-" }.prefix { $0 != "=" }
        #expect(outcome.code == 1)
        #expect(outcome.lines.last == Outcome.verifying("\(name) is not supported by this version of etclite"))
    }

    @Test("Asking for their defaults is no offence")
    func defaults() {
        let outcome = Outcome([
            "--proxy=off", "--auto-tls=false", "--discovery=", "--wal-dir=", "--force-new-cluster=0",
            "--initial-cluster-state=new", "--cert-file=", "--max-snapshots=5",
        ])
        #expect(outcome.code == nil)
        #expect(!outcome.notices.contains { $0.contains("no effect") })
    }

    @Test("Tuning flags without effect are accepted with a warning")
    func inert() {
        let outcome = Outcome([
            "--max-wals=9", "--quota-backend-bytes", "-5", "--enable-pprof", "--grpc-keepalive-timeout=1h2.5s",
        ])
        for name in ["max-wals", "quota-backend-bytes", "enable-pprof", "grpc-keepalive-timeout"] {
            #expect(outcome.notices.contains("W | etcdmain: --\(name) has no effect in this version of etclite"))
        }
    }
}

@Suite("Addresses of etcd 0.4.6 (server.md §2.6)")
struct LegacyAddressTests {
    @Test("Seed 002's line: one host, listening on it when it is ours")
    func seed() {
        let configuration = Outcome([
            "-peer-addr", "127.0.0.1:7001", "-addr", "127.0.0.1:4001", "-data-dir", "m1", "-name", "machine1",
        ]).configuration
        #expect(configuration.listenClientURLs.map(\.text) == ["http://127.0.0.1:4001"])
        #expect(configuration.advertiseClientURLs.map(\.text) == ["http://127.0.0.1:4001"])
        #expect(configuration.listenPeerURLs.map(\.text) == ["http://127.0.0.1:7001"])
        #expect(configuration.initialAdvertisePeerURLs.map(\.text) == ["http://127.0.0.1:7001"])
        #expect(configuration.initialCluster == "machine1=http://127.0.0.1:7001")
    }

    @Test("A host that is not ours, or a name: listen everywhere", arguments: ["10.9.8.7", "node1"])
    func elsewhere(host: String) {
        let configuration = Outcome(["-addr=\(host):4001"]).configuration
        #expect(configuration.listenClientURLs.map(\.text) == ["http://0.0.0.0:4001"])
        #expect(configuration.advertiseClientURLs.map(\.text) == ["http://\(host):4001"])
    }

    @Test(
        "bind-addr takes a missing port from addr",
        arguments: [
            ("127.0.0.1", "http://127.0.0.1:4001"), ("127.0.0.1:5", "http://127.0.0.1:5"), (":5", "http://0.0.0.0:5"),
            ("[::1]:5", "http://[::1]:5"),
        ])
    func bind(text: String, url: String) {
        let configuration = Outcome(["-addr=10.9.8.7:4001", "-bind-addr", text]).configuration
        #expect(configuration.listenClientURLs.map(\.text) == [url])
        #expect(configuration.advertiseClientURLs.map(\.text) == ["http://10.9.8.7:4001"])
    }

    @Test("The largest write that is allowed fits into a frame between members, and into rows of the files")
    func largestWrite() throws {
        #expect(Outcome(["--max-request-body-bytes=66055992"]).configuration.limits.requestBodyBytesMax == 66_055_992)
        let limits = PeerLimits()
        let payload = EntryPayload(kind: .keys, value: [UInt8](repeating: 0, count: limits.entryBytesMax - EntryPayload.empty.size))
        #expect(PeerMessageCodec.sizeMax(of: .forward(from: .none, to: .none, term: 1, number: 1, payloads: [payload])) <= limits.frameBytesMax - 8)
        // Two values in a row of the events; what SQLite is made to take can be changed when it is built.
        #expect(2 * limits.entryBytesMax < 1_000_000_000)
    }
}
