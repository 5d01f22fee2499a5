import Testing

@testable import Server

@Suite("Static bootstrap and the data directory (server.md §3 to §4, cluster.md §3)")
struct BootstrapTests {
    private static let advertise = "--initial-advertise-peer-urls="

    @Test(
        "What the initial cluster must be",
        arguments: [
            (
                ["--name=machine1", "--initial-cluster=a=http://localhost:2380"],
                #"couldn't find local name "machine1" in the initial cluster configuration"#
            ),
            (
                ["--name=a", advertise + "http://127.0.0.1:22380", "--initial-cluster=a=http://127.0.0.1:22381"],
                #"--initial-cluster has a=http://127.0.0.1:22381 but missing from --initial-advertise-peer-urls=http://127.0.0.1:22380 (resolved urls: "http://127.0.0.1:22380" != "http://127.0.0.1:22381")"#
            ),
            (
                [advertise + "http://127.0.0.1:22380", "--initial-cluster=default=http://localhost:22380"],
                #"--initial-cluster has default=http://localhost:22380 but missing from --initial-advertise-peer-urls=http://127.0.0.1:22380 (resolved urls: "http://127.0.0.1:22380" != "http://localhost:22380")"#
            ),
            (
                [
                    "--name=a", advertise + "http://127.0.0.1:22380,http://127.0.0.1:22381",
                    "--initial-cluster=a=http://127.0.0.1:22380",
                ],
                "--initial-advertise-peer-urls has http://127.0.0.1:22381 but missing from --initial-cluster=a=http://127.0.0.1:22380,a=http://127.0.0.1:22381"
            ),
            (
                [
                    "--name=a", advertise + "http://127.0.0.1:22380",
                    "--initial-cluster=a=http://127.0.0.1:22380,b=http://127.0.0.1:22380",
                ],
                "initial cluster a=http://127.0.0.1:22380,b=http://127.0.0.1:22380 has duplicate url"
            ),
            (
                [
                    "--name=a", advertise + "http://127.0.0.1:22380",
                    "--initial-cluster=a=http://127.0.0.1:22380,a=http://127.0.0.1:22380",
                ],
                #"failed to resolve http://127.0.0.1:22380 to match --initial-cluster=a=http://127.0.0.1:22380 (len(["http://127.0.0.1:22380"]) != len(["http://127.0.0.1:22380" "http://127.0.0.1:22380"]))"#
            ),
            (
                ["--initial-cluster=foo"],
                "error setting up initial cluster: URL scheme must be http, https, unix, or unixs: "
            ),
            (
                ["--initial-cluster=foo=bar"],
                "error setting up initial cluster: URL scheme must be http, https, unix, or unixs: bar"
            ),
            (
                ["--initial-cluster=foo=http://127.0.0.1"],
                #"error setting up initial cluster: URL address does not have the form "host:port": http://127.0.0.1"#
            ),
            (
                ["--name=a=b"],
                #"error setting up initial cluster: parse "b=http://localhost:2380": first path segment in URL cannot contain colon"#
            ),
        ])
    func refusals(arguments: [String], text: String) {
        let outcome = Outcome(arguments)
        #expect(outcome.code == 1)
        #expect(outcome.lines.last == "C | etcdmain: \(text)")
    }

    @Test("Several members: ids of all, ordered (cluster.md §2, first vectors)")
    func several() throws {
        let urls = (101...103).map { "http://192.168.56.\($0):2380" }
        let outcome = Outcome([
            "--name=b", Self.advertise + urls[1], "--initial-cluster-token=etcd-cluster-1",
            "--initial-cluster=a=\(urls[0]),b=\(urls[1]),c=\(urls[2])",
        ])
        #expect(outcome.code == nil)
        let founding = try outcome.configuration.founding(surroundings: .memory())
        #expect(founding.members.map { MemberIdentity.text($0.id) } == ["11796896800e7f4d", "4a84c8889f5d7a35", "b3a64181bea306fb"])
        #expect(founding.members.map(\.name) == ["a", "c", "b"])
        #expect(MemberIdentity.text(founding.localID) == "b3a64181bea306fb")
        #expect(MemberIdentity.text(founding.clusterID) == "917ad5c333e2593")
    }

    @Test("The default cluster follows name and advertised URLs")
    func defaultCluster() throws {
        let plain = Outcome([]).configuration
        #expect(plain.initialCluster == "default=http://localhost:2380")
        #expect(plain.dataDirectory == "default.etcd")
        let named = Outcome(["--name=foo", Self.advertise + "http://127.0.0.1:2,http://127.0.0.1:1"]).configuration
        #expect(named.initialCluster == "foo=http://127.0.0.1:1,foo=http://127.0.0.1:2")
        #expect(named.dataDirectory == "foo.etcd")
        let founding = try plain.founding(surroundings: .memory())
        #expect(MemberIdentity.text(founding.localID) == "8e9e05c52164694d")
        #expect(MemberIdentity.text(founding.clusterID) == "cdf818194e3a8c32")
        #expect(founding.members.map(\.name) == ["default"])
    }

    @Test("An empty token is a token")
    func emptyToken() throws {
        let arguments = ["--initial-cluster-token=", Self.advertise + "http://127.0.0.1:22380"]
        let founding = try Outcome(arguments).configuration.founding(surroundings: .memory())
        #expect(MemberIdentity.text(founding.localID) == "1ba17f2b78f30dcb")
        #expect(MemberIdentity.text(founding.clusterID) == "3024f652a3707eb4")
    }

    @Test("A host name equals its address, and the identity keeps the name")
    func resolution() throws {
        let outcome = Outcome(
            ["--name=a", Self.advertise + "http://10.0.0.1:1", "--initial-cluster=a=http://node1:1"],
            surroundings: .memory(hosts: ["node1": "10.0.0.1"]))
        #expect(outcome.code == nil)
        let founding = try outcome.configuration.founding(surroundings: .memory(hosts: ["node1": "10.0.0.1"]))
        #expect(founding.members.map(\.peerURLs) == [["http://node1:1"]])
    }

    @Test(
        "Any two spellings of one place are one URL; the identity keeps what was written",
        arguments: [
            ("http://[::1]:1", "http://[0:0:0:0:0:0:0:1]:1"), ("http://10.0.0.1:1", "http://[::ffff:10.0.0.1]:1"),
            ("http://10.0.0.1:1", "http://10.0.0.1:0001"), ("http://Node1.:1", "http://node1:1"),
        ])
    func spelling(advertised: String, listed: String) throws {
        for (one, other) in [(advertised, listed), (listed, advertised)] {
            let outcome = Outcome(["--name=a", Self.advertise + one, "--initial-cluster=a=\(other)"])
            #expect(outcome.code == nil, "\(outcome.lines)")
            let founding = try outcome.configuration.founding(surroundings: .memory())
            #expect(founding.members.map(\.peerURLs) == [[other]])
        }
        // In whichever order they stand.
        let two = Outcome([
            "--name=a", Self.advertise + "\(advertised),http://[::5]:9", "--initial-cluster=a=http://[0::5]:9,a=\(listed)",
        ])
        #expect(two.code == nil, "\(two.lines)")
        let twice = Outcome(["--name=a", Self.advertise + advertised, "--initial-cluster=a=\(advertised),b=\(listed)"])
        #expect(twice.lines.last?.hasSuffix("has duplicate url") == true, "\(twice.lines)")
        let listening = Outcome(["--listen-client-urls=http://[::1]:1,http://[0::1]:1", "--advertise-client-urls=http://a:1"])
        #expect(listening.configuration.listenClientURLs.count == 1)
    }

    @Test("A directory that others may look into stays so, with a warning")
    func permissions() {
        func warnings(_ modes: [String: UInt32]) -> [String] {
            let directories = ["d": ["member"], "d/member": ["log.db", "tree.db"]]
            let outcome = Outcome(["--data-dir=d"], surroundings: .memory(directories: directories, modes: modes))
            return outcome.notices.filter { $0.contains("permission") }
        }
        #expect(warnings(["d": 0o700, "d/member": 0o700]).isEmpty)
        #expect(warnings([:]).isEmpty)
        #expect(
            warnings(["d": 0o750, "d/member": 0o705]) == [
                "W | pkg/fileutil: check file permission: directory \"d\" exist, but the permission is \"drwxr-x---\". "
                    + "The recommended permission is \"-rwx------\" to prevent possible unprivileged access to the data.",
                "W | pkg/fileutil: check file permission: directory \"d/member\" exist, but the permission is \"drwx---r-x\". "
                    + "The recommended permission is \"-rwx------\" to prevent possible unprivileged access to the data.",
            ])
    }

    @Test("Listening everywhere with the default advertisement: the computer's own address")
    func ownAddress() {
        let arguments = ["--listen-peer-urls=http://0.0.0.0:2390"]
        let outcome = Outcome(arguments, surroundings: .memory(defaultAddress: "10.0.0.7"))
        #expect(outcome.configuration.initialCluster == "default=http://10.0.0.7:2390")
        #expect(outcome.notices.contains("I | etcdmain: advertising using detected default host \"10.0.0.7\""))
        #expect(Outcome(arguments).configuration.initialCluster == "default=http://localhost:2380")
    }

    @Test("A stored member wins over every bootstrap flag")
    func restart() {
        let stored = Surroundings.memory(directories: ["d": ["member"], "d/member": ["log.db", "tree.db"]])
        let outcome = Outcome(
            ["--data-dir=d", "--discovery=http://x", "--initial-cluster-state=existing", "-peers=127.0.0.1:1"],
            surroundings: stored)
        #expect(outcome.code == nil)
        for line in [
            "N | etcdmain: the server is already initialized as member before, starting as etcd member...",
            "W | etcdserver: discovery token ignored since a cluster has already been initialized. "
                + "Valid log found at \"d/member\"",
            "W | etcdserver: --peers ignored since a cluster has already been initialized. "
                + "Valid log found at \"d/member\"",
        ] {
            #expect(outcome.notices.contains(line))
        }
        #expect(Outcome(["--data-dir=d", "--initial-cluster=x=y"], surroundings: stored).code == nil)
        #expect(Outcome(["--data-dir=d", "--wal-dir=w"], surroundings: stored).code == 1)
    }

    @Test("Directories of others")
    func foreign() {
        func last(_ names: [String], _ member: [String] = []) -> String? {
            Outcome(["--data-dir=d"], surroundings: .memory(directories: ["d": names, "d/member": member])).lines.last
        }
        for files in [["log.db"], ["snap", "wal"]] {
            #expect(last(["member", "proxy"], files) == "C | etcdmain: invalid datadir. Both member and proxy directories exist.")
        }
        #expect(last(["member"], ["snap", "wal"])?.contains("holds files of etcd") == true)
        let stray = Outcome(["--data-dir=d"], surroundings: .memory(directories: ["d": ["stray"]]))
        #expect(
            stray.notices.contains(
                "W | etcdmain: found invalid file/dir stray under data dir d (Ignore this if you are upgrading etcd)"))
    }

    @Test("A good start tells how it is set up")
    func summary() {
        let outcome = Outcome(["--name=solo", "--data-dir=/var/lib/x"])
        #expect(
            outcome.notices == [
                "I | etcdmain: etcd Version: 3.4.23",
                "I | etcdmain: etclite Version: 0.1.0",
                "I | embed: name = solo",
                "I | embed: data dir = /var/lib/x",
                "I | embed: member dir = /var/lib/x/member",
                "I | embed: heartbeat = 100ms",
                "I | embed: election = 1000ms",
                "I | embed: snapshot count = 100000",
                "I | embed: advertise client URLs = http://localhost:2379",
            ])
        #expect(
            Outcome([]).notices.contains(
                "W | etcdmain: no data-dir provided, using default data-dir ./default.etcd"))
    }
}
