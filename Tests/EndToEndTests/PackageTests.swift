import Foundation
import Testing

/// `tools/install` and `tools/package`, with the programs under test, and systemd's opinion of the units.
@Suite("Installation and package", .blocking)
struct PackageTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardizedFileURL.path
    private static let bin = URL(fileURLWithPath: Program.server).deletingLastPathComponent().path
    private static let hasShell = Program.isInstalled("bash") && Program.isInstalled("gzip")

    private static func install(_ arguments: [String]) throws -> Run { try Run("/bin/bash", [root + "/tools/install", "--bin", bin] + arguments) }

    @Test("tools/install puts programs, manual and completion below the prefix, twice as well as once, and etcd's names when wanted",
        .enabled(if: hasShell, "needs bash and gzip"))
    func install() throws {
        let place = try Workplace()
        let (plain, named) = (place("plain"), place("named"))
        #expect(try Self.install(["--prefix", plain]).isClean)
        for _ in 1...2 {
            let run = try Self.install(["--prefix", named, "--etcd-names"])
            #expect(run.isClean && run.text.contains("etcd and etcdctl"), "\(run.text)")
        }
        #expect(Files.names(plain + "/bin") == ["etclite", "etclitectl", "etcliteutl"])
        #expect(Files.names(named + "/bin") == ["etcd", "etcdctl", "etclite", "etclitectl", "etcliteutl"])
        #expect(Files.names(named + "/share/man/man1") == ["etcdctl.1.gz", "etclitectl.1.gz", "etcliteutl.1.gz"])
        #expect(Files.names(named + "/share/man/man8") == ["etcd.8.gz", "etclite.8.gz"])
        #expect(Files.names(plain + "/share/bash-completion/completions") == ["etclite", "etclitectl", "etcliteutl"])
        let version = try Run(named + "/bin/etcd", ["--version"])
        #expect(version.isClean && version.text.hasPrefix("etcd Version: "))
        let wrong = try Self.install(["--nosuch"])
        #expect(wrong.ending == .exit(2) && wrong.text.contains("--nosuch"))
    }

    @Test("The package has what it says, and a member starts from what is in it as its unit starts it",
        .enabled(if: hasShell && Program.isInstalled("dpkg-deb") && Program.isInstalled("strip"), "needs bash, dpkg-deb and strip"))
    func package() throws {
        let place = try Workplace()
        let quick = ["DPKG_DEB_COMPRESSOR_TYPE": "gzip", "DPKG_DEB_COMPRESSOR_LEVEL": "1", "ETCLITE_PACKAGE_LOCAL": "yes"]
        let run = try Run(
            "/bin/bash", [Self.root + "/tools/package", "--bin", Self.bin, "--output", place.path, "--etcd-names"], environment: quick,
            seconds: 300)
        #expect(run.isClean, "\(run.text)")
        let file = try #require(Files.names(place.path).first { $0.hasPrefix("etclite_") && $0.hasSuffix(".deb") })
        let control = try Run("dpkg-deb", ["--field", place(file)]).text
        for line in ["Package: etclite\n", "Depends: libc6 (>= ", "libsqlite3-0 (>= ", "Conflicts: etcd, etcd-server, etcd-client\n"] {
            #expect(control.contains(line), "\(control)")
        }
        let image = place("image")
        #expect(try Run("dpkg-deb", ["--raw-extract", place(file), image]).isClean)
        for path in [
            "usr/bin/etclite", "usr/bin/etcd", "usr/bin/etcdctl", "usr/share/man/man8/etclite.8.gz", "usr/lib/sysusers.d/etclite.conf",
            "etc/etclite/etclite.yml", "usr/share/doc/etclite/copyright", "DEBIAN/postinst", "DEBIAN/md5sums",
        ] { #expect(Files.exists(image + "/" + path), "\(path)") }
        for script in ["postinst", "prerm", "postrm"] { #expect(try Run("/bin/sh", ["-n", image + "/DEBIAN/" + script]).isClean) }

        // What the unit calls, with the directories of this test.
        let unit = String(decoding: try Files.read(image + "/usr/lib/systemd/system/etclite.service"), as: UTF8.self)
        let command = try #require(unit.firstMatch(of: /\nExecStart=(.*)\n/)).1.split(separator: " ").map(String.init)
        #expect(command == ["/usr/bin/etclite", "--config-file", "/etc/etclite/etclite.yml"])
        let configuration = String(decoding: try Files.read(image + "/etc/etclite/etclite.yml"), as: UTF8.self)
        try Files.write(Array(configuration.replacing("/var/lib/etclite", with: place("data")).utf8), to: place("etclite.yml"))
        let port = try Ports.free(), peer = try Ports.free()
        let url = "http://127.0.0.1:\(port)"
        let server = try Child(
            image + command[0],
            ["--config-file", place("etclite.yml"), "--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls",
             "http://127.0.0.1:\(peer)"], output: place("log"))
        #expect(eventually(within: Server.startSeconds) { server.text.contains("ready to serve client requests") }, "\(server.text)")
        #expect(!server.text.contains("unknown key"), "\(server.text)")
        #expect(try Run(image + "/usr/bin/etcdctl", ["--endpoints", url, "set", "/k", "v"]).text == "v\n")
        #expect(Files.exists(place("data") + "/member/log.db"))
        server.kill()
    }

    @Test("Every key that the example of a configuration shows is one, with its comment mark or without")
    func example() throws {
        let place = try Workplace()
        let text = String(decoding: try Files.read(Self.root + "/tools/packaging/etclite.yml"), as: UTF8.self)
        let all = text.split(separator: "\n").map { line in line.firstMatch(of: /^#([a-z-]+: .*)$/).map { String($0.1) } ?? String(line) }
        let lines = all.filter { !$0.contains("192.168.") } + ["listen-peer-urls: http://127.0.0.1:\(try Ports.free())"]
        try Files.write(Array(lines.joined(separator: "\n").replacing("/var/lib/etclite", with: place("data")).utf8), to: place("all.yml"))
        let port = try Ports.free()
        let server = try Child(
            Program.server,
            ["--config-file", place("all.yml"), "--initial-cluster", "node-1=http://localhost:2380", "--listen-client-urls",
             "http://127.0.0.1:\(port)", "--advertise-client-urls", "http://127.0.0.1:\(port)"], output: place("log"))
        #expect(eventually(within: Server.startSeconds) { server.text.contains("ready to serve client requests") }, "\(server.text)")
        #expect(!server.text.contains("unknown key") && server.text.contains("name = node-1"), "\(server.text)")
        server.kill()
    }

    /// As the article writes it, for its first node.
    private static let articlesUnit = """
        [Unit]
        Description=etcd
        Documentation=https://github.com/coreos

        [Service]
        Type=notify
        ExecStart=/usr/local/bin/etcd \\
          --name node-1 \\
          --data-dir /var/lib/etcd \\
          --initial-advertise-peer-urls http://192.168.0.10:2380 \\
          --listen-peer-urls http://192.168.0.10:2380 \\
          --listen-client-urls http://192.168.0.10:2379,http://127.0.0.1:2379 \\
          --advertise-client-urls http://192.168.0.10:2379 \\
          --initial-cluster-token etcd-cluster-1 \\
          --initial-cluster node-1=http://192.168.0.10:2380,node-2=http://192.168.0.11:2380,node-3=http://192.168.0.12:2380 \\
          --initial-cluster-state new
        Restart=on-failure
        RestartSec=5

        [Install]
        WantedBy=multi-user.target

        """

    @Test("systemd has no complaint about our unit, nor about the one that articles show",
        .enabled(if: hasShell && Program.isInstalled("systemd-analyze"), "needs systemd-analyze"))
    func units() throws {
        let place = try Workplace()
        let image = place("image")
        for (prefix, names) in [("/usr", []), ("/usr/local", ["--etcd-names"])] {
            #expect(try Self.install(["--prefix", image + prefix] + names).isClean)
        }
        try FileManager.default.createDirectory(atPath: image + "/etc/systemd/system", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: image + "/bin", withIntermediateDirectories: true)
        // The image is looked into for what units call.
        try Files.copy(URL(fileURLWithPath: "/bin/sh").resolvingSymlinksInPath().path, to: image + "/bin/sh")
        // Targets that every system has.
        for unit in ["network-online.target", "multi-user.target", "sysinit.target", "basic.target", "shutdown.target"] {
            try Files.write(Array("[Unit]\nDescription=\(unit)\n".utf8), to: image + "/etc/systemd/system/" + unit)
        }
        try Files.copy(Self.root + "/tools/packaging/etclite.service", to: image + "/etc/systemd/system/etclite.service")
        try Files.write(Array(Self.articlesUnit.utf8), to: image + "/etc/systemd/system/etcd.service")
        for unit in ["etclite.service", "etcd.service"] {
            let run = try Run("systemd-analyze", ["verify", "--man=no", "--root=" + image, "/etc/systemd/system/" + unit])
            #expect(run.isClean && run.text.isEmpty, "\(unit): \(run.text)")
        }
        let security = try Run("systemd-analyze", ["security", "--offline=true", "--threshold=25", "--no-pager", Self.root + "/tools/packaging/etclite.service"])
        #expect(security.isClean, "\(security.text)")
    }

    @Test("The article's unit starts a member: its flags, its name for the program, ready when clients are served")
    func articlesFlags() throws {
        let place = try Workplace()
        try FileManager.default.createSymbolicLink(atPath: place("etcd"), withDestinationPath: Program.server)
        let line = try #require(Self.articlesUnit.replacing(" \\\n", with: " ").firstMatch(of: /ExecStart=\S+ (.*)\n/)).1
        // Three nodes of one computer instead of three.
        var ports: [String: UInt16] = [:]
        func local(_ text: String) throws -> String {
            var text = text
            for match in text.matches(of: /192\.168\.0\.1\d:23\d\d/).map({ String($0.0) }) {
                if ports[match] == nil { ports[match] = try Ports.free() }
                text = text.replacing(match, with: "127.0.0.1:\(ports[match] ?? 0)")
            }
            return text.replacing(",http://127.0.0.1:2379", with: "")
        }
        var nodes: [Child] = []
        for number in 1...3 {
            let own = line.split(separator: " ").map(String.init)
            let flags = try own.map { word in
                try local(
                    word == "node-1" ? "node-\(number)" : word == "/var/lib/etcd" ? place("data\(number)")
                        : word.contains("node-2=") ? word : word.replacing("192.168.0.10:", with: "192.168.0.1\(number - 1):"))
            }
            nodes.append(try Child(place("etcd"), flags, output: place("log\(number)")))
        }
        for node in nodes {
            #expect(eventually(within: Server.startSeconds) { node.text.contains("ready to serve client requests") }, "\(node.text)")
        }
        for node in nodes { node.kill() }
    }
}
