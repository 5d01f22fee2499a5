import Testing

@testable import Server

@Suite("Flag, then environment, then config file, then default (server.md §1.2)")
struct PrecedenceTests {
    @Test("Each source wins over the weaker ones, and the shadowed are named")
    func order() {
        let surroundings = Surroundings.memory(files: [
            "/c.yml": "name: f\nheartbeat-interval: 30\nelection-timeout: 600"
        ])
        let outcome = Outcome(
            ["--name=a", "--config-file", "/c.yml"],
            environment: ["ETCD_NAME": "e", "ETCD_HEARTBEAT_INTERVAL": "20"], surroundings: surroundings)
        #expect(outcome.configuration.name == "a")
        #expect(outcome.configuration.heartbeatMilliseconds == 20)
        #expect(outcome.configuration.electionMilliseconds == 600)
        #expect(outcome.configuration.snapshotCount == 100_000)
        #expect(
            outcome.notices.prefix(5) == [
                "I | pkg/flags: recognized and used environment variable ETCD_HEARTBEAT_INTERVAL=20",
                "W | pkg/flags: environment variable ETCD_NAME=e is shadowed by the command-line flag --name",
                "I | etcdmain: Loading server configuration from \"/c.yml\". "
                    + "Command line flags and environment variables win over it.",
                "W | etcdmain: config file value of name is shadowed by the command-line flag --name",
                "W | etcdmain: config file value of heartbeat-interval is shadowed by the environment variable "
                    + "ETCD_HEARTBEAT_INTERVAL",
            ])
    }

    @Test("The config file may be named by a variable")
    func fileByVariable() {
        let outcome = Outcome(
            [], environment: ["ETCD_CONFIG_FILE": "c"], surroundings: .memory(files: ["c": "name: n"]))
        #expect(outcome.configuration.name == "n")
    }

    @Test("Unknown variables are named and ignored; empty ones count as unset; others are no business of ours")
    func unknown() {
        let outcome = Outcome(
            ["--name=x"],
            environment: [
                "ETCD_BOGUS": "1", "ETCD_NAME": "", "ETCDCTL_API": "2", "ETCD_HELP": "1", "ETCD_VERSION": "1",
            ])
        #expect(outcome.configuration.name == "x")
        #expect(outcome.notices.first == "W | pkg/flags: unrecognized environment variable ETCD_BOGUS=1")
        #expect(!outcome.notices.contains { $0.contains("ETCDCTL") || $0.contains("ETCD_NAME") })
    }

    @Test(
        "Bad values exit with 1",
        arguments: [
            ("ETCD_HEARTBEAT_INTERVAL", "zz", "parse error"),
            ("ETCD_ENABLE_V2", "maybe", "parse error"),
            ("ETCD_LISTEN_CLIENT_URLS", "foo", "URL scheme must be http, https, unix, or unixs: foo"),
            ("ETCD_PROXY", "foo", "invalid value"),
            ("ETCD_INITIAL_CLUSTER_STATE", "x", "invalid value"),
            ("ETCD_SNAPSHOT_COUNT", "9999999999999999999999999", "value out of range"),
            ("ETCD_MAX_CONCURRENT_STREAMS", "4294967296", "value out of range"),
        ])
    func badValues(name: String, value: String, problem: String) {
        let outcome = Outcome([], environment: [name: value])
        #expect(outcome.code == 1)
        #expect(outcome.lines == [Outcome.verifying("invalid value \"\(value)\" for \(name): \(problem)")])
    }

    @Test("A file of variables may come from another system: a byte order mark before the first, carriage returns behind each")
    func foreignVariables() {
        let outcome = Outcome(
            [], environment: ["\u{feff}ETCD_NAME": "n\r", "ETCD_HEARTBEAT_INTERVAL": "20\r", "ETCD_DATA_DIR": "\r"])
        #expect(outcome.configuration.name == "n")
        #expect(outcome.configuration.heartbeatMilliseconds == 20)
        #expect(outcome.configuration.dataDirectory == "n.etcd")
        #expect(Outcome([], environment: ["\u{feff}ETCD_NAME": "m", "ETCD_NAME": "n"]).configuration.name == "n")
    }

    @Test("Every flag has its variable, hidden ones too")
    func variables() throws {
        #expect(
            try #require(OptionTable.option("initial-advertise-peer-urls")).variable
                == "ETCD_INITIAL_ADVERTISE_PEER_URLS")
        #expect(
            Outcome([], environment: ["ETCD_ADDR": "127.0.0.1:7"]).configuration.listenClientURLs.map(\.text) == [
                "http://127.0.0.1:7"
            ])
        #expect(
            Outcome([], environment: ["ETCD_V": "1"]).notices.first
                == "W | pkg/flags: flag \"-v\" is no longer supported - ignoring.")
    }
}
