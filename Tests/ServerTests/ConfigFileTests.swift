import Foundation
import Testing

@testable import Server

@Suite("Config file (server.md §1.3)")
struct ConfigFileTests {
    private func outcome(_ text: String, _ arguments: [String] = []) -> Outcome {
        Outcome(["--config-file=c.yml"] + arguments, surroundings: .memory(files: ["c.yml": text]))
    }

    @Test("Keys are flag names; JSON is YAML; empty values keep the default")
    func values() {
        let yaml = outcome(
            """
            name: solo
            data-dir:
            listen-client-urls: http://127.0.0.1:2,http://127.0.0.1:1
            advertise-client-urls: http://10.0.0.1:1
            heartbeat-interval: 50
            enable-v2: false
            cors: http://a:1
            host-whitelist: a, b
            log-outputs: [stdout]
            log-level: debug
            proxy: off
            history-events: 5000
            max-headers: 10
            client-transport-security:
              cert-file:
              client-cert-auth: false
            peer-transport-security:
            """)
        #expect(yaml.code == nil)
        #expect(yaml.configuration.name == "solo")
        #expect(yaml.configuration.dataDirectory == "solo.etcd")
        #expect(yaml.configuration.listenClientURLs.map(\.text) == ["http://127.0.0.1:1", "http://127.0.0.1:2"])
        #expect(yaml.configuration.heartbeatMilliseconds == 50)
        #expect(!yaml.configuration.enableV2)
        #expect(yaml.configuration.corsOrigins == ["http://a:1"])
        #expect(yaml.configuration.hostWhitelist == ["a", "b"])
        #expect(yaml.configuration.logOutputs == [.standardOutput])
        #expect(yaml.configuration.logLevel == .debug)
        #expect(yaml.configuration.historyEvents == 5000)
        #expect(yaml.configuration.limits.headersMax == 10)
        #expect(outcome(#"{"name": "j", "heartbeat-interval": 7}"#).configuration.heartbeatMilliseconds == 7)
    }

    @Test("A file without content changes nothing", arguments: ["", "---\n", "# only words\n", "~\n"])
    func nothing(text: String) {
        #expect(outcome(text).configuration == Outcome([]).configuration)
    }

    @Test("A byte order mark, UTF-16 and carriage returns of other systems", arguments: ["\n", "\r\n"])
    func foreignText(newline: String) throws {
        let text = ["name: é", "heartbeat-interval: 20", "log-outputs: [stdout]", "cors: 'http://a:1'", ""].joined(separator: newline)
        let units = Array(text.utf16)
        for bytes in [
            Array(text.utf8), [0xef, 0xbb, 0xbf] + Array(text.utf8), [0xff, 0xfe] + units.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] },
            [0xfe, 0xff] + units.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] },
        ] as [[UInt8]] {
            let path = FileManager.default.temporaryDirectory.path + "/etclite-config-\(UUID().uuidString)"
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            defer { try? FileManager.default.removeItem(atPath: path) }
            var surroundings = Surroundings.memory()
            surroundings.readFile = Surroundings.live.readFile
            let outcome = Outcome(["--config-file", path], surroundings: surroundings)
            #expect(outcome.code == nil, "\(outcome.lines)")
            #expect(outcome.configuration.name == "é")
            #expect(outcome.configuration.heartbeatMilliseconds == 20)
            #expect(outcome.configuration.corsOrigins == ["http://a:1"])
            #expect(outcome.configuration.logOutputs == [.standardOutput])
        }
    }

    @Test("Unknown keys are named", arguments: ["foo", "client-transport-security", "addr", "config-file"])
    func unknownKeys(key: String) {
        let text = key == "client-transport-security" ? "\(key): {foo: 1}" : "\(key): 1"
        let shown = key == "client-transport-security" ? "\(key).foo" : key
        #expect(outcome(text).notices.contains("W | etcdmain: unknown key \"\(shown)\" in the config file"))
    }

    @Test("Nested and flat security options reach the same flags")
    func security() {
        let nested = outcome(
            """
            client-transport-security: {cert-file: /c, key-file: /k, client-cert-auth: true, trusted-ca-file: /t}
            peer-transport-security: {auto-tls: true}
            peer-crl-file: /r
            cipher-suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
            """
        ).configuration
        #expect(nested.clientTLS.certificateFile == "/c" && nested.clientTLS.keyFile == "/k" && nested.clientTLS.trustedCAFile == "/t")
        #expect(nested.clientTLS.requiresCertificate && !nested.clientAutoTLS && nested.peerAutoTLS)
        #expect(nested.peerTLS.revocationFile == "/r" && nested.peerTLS.trustsAnyServer)
        #expect(nested.peerTLS.cipherSuites.map(\.name) == ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"])
    }

    @Test(
        "Wrong types",
        arguments: [
            ("heartbeat-interval: foo", "string", "configYAML.heartbeat-interval of type uint"),
            ("heartbeat-interval: '5'", "string", "configYAML.heartbeat-interval of type uint"),
            ("heartbeat-interval: 1.5", "number 1.5", "configYAML.heartbeat-interval of type uint"),
            ("heartbeat-interval: -1", "number -1", "configYAML.heartbeat-interval of type uint"),
            ("name: [a]", "array", "configYAML.name of type string"),
            ("name: {a: b}", "object", "configYAML.name of type string"),
            ("name: 5", "number", "configYAML.name of type string"),
            ("enable-v2: 1", "number", "configYAML.enable-v2 of type bool"),
            ("enable-v2: \"true\"", "string", "configYAML.enable-v2 of type bool"),
            ("listen-client-urls: [foo]", "array", "configYAML.listen-client-urls of type string"),
            ("log-outputs: stderr", "string", "configYAML.log-outputs of type []string"),
            ("grpc-keepalive-timeout: 5s", "string", "configYAML.grpc-keepalive-timeout of type time.Duration"),
            (
                "client-transport-security: 5", "number",
                "configYAML.client-transport-security of type embed.securityConfig"
            ),
            (
                "client-transport-security: {cert-file: 5}", "number",
                "securityConfig.client-transport-security.cert-file of type string"
            ),
        ])
    func wrongTypes(text: String, given: String, target: String) {
        let failed = outcome(text)
        #expect(failed.code == 1)
        #expect(
            failed.lines.last
                == Outcome.verifying(
                    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal \(given) into Go struct field \(target)"
                ))
    }

    @Test("A file that is no mapping", arguments: [("[1, 2]", "array"), ("foo", "string")])
    func noMapping(text: String, type: String) {
        #expect(
            outcome(text).lines.last
                == Outcome.verifying(
                    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal \(type) into Go value of type embed.configYAML"
                ))
    }

    @Test("A missing file, and one that is no YAML")
    func unreadable() {
        #expect(
            Outcome(["--config-file=/x.yml"]).lines.last
                == Outcome.verifying("open /x.yml: no such file or directory"))
        for text in ["foo: [\n", "a: b: c\n", "\tfoo: 1\n", "a: 1\na: 2\n", "? {a: *b}", "a: \"\u{1}", "&a a: *a\n"] {
            let failed = outcome(text)
            #expect(failed.code == 1 || failed.notices.contains { $0.contains("unknown key") }, "\(text)")
        }
        #expect(outcome("foo: [\n").lines.last?.contains("error converting YAML to JSON: yaml: ") == true)
    }

    @Test("Bad URLs and choices in etcd's words")
    func badURLs() {
        #expect(
            outcome("listen-client-urls: foo").lines.last
                == "unexpected error setting up listen-client-urls: URL scheme must be http, https, unix, or unixs: foo"
        )
        #expect(
            outcome("listen-client-urls: http://127.0.0.1").lines.last
                == "unexpected error setting up listen-client-urls: URL address does not have the form \"host:port\": http://127.0.0.1"
        )
        #expect(
            outcome("initial-cluster-state: foo").lines.last == Outcome.verifying("unexpected clusterState \"foo\""))
        #expect(outcome("proxy: foo").lines.last == "unexpected error setting up proxyFlag: invalid value")
    }

    @Test("Hostile files end in an answer")
    func hostile() {
        var generator = SplitMix(state: 20_260_101)
        let pieces = [
            "name", ":", " ", "\n", "[", "]", "{", "}", "&a", "*a", "!!binary", "-", "'", "\"", "|", "0x", "~", "\t",
            "é", "\0", "log-outputs", "%TAG", "<<",
        ]
        for _ in 0..<2000 {
            let text = (0..<Int(generator.next() % 12)).map { _ in pieces[Int(generator.next() % UInt64(pieces.count))]
            }.joined()
            let code = outcome(text).code
            #expect(code == nil || code == 1, "\(text)")
        }
        for bracket in ["[", "{a: ", "- "] {
            #expect(outcome("foo: \n " + String(repeating: bracket, count: 20_000)).code != 2)
        }
    }
}

/// A small seeded generator, so that a failing text comes back.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
