import Foundation
import Testing

/// What the one who runs the server on a system sees of it: logs, systemd's messages, signals (server.md §2.5, §8).
@Suite("Operation: logs, systemd, signals", .blocking)
struct OperationTests {
    /// What systemd would hear.
    private final class NotifySocket {
        let path: String
        private let descriptor: Int32

        init(_ path: String) throws {
            self.path = path
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let bytes = Array(path.utf8)
            guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw Failure("\(path) is too long for a socket") }
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
            let isBound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 }
            }
            guard isBound else { throw Failure("cannot bind \(path)") }
        }

        deinit { close(descriptor) }

        /// What has come so far.
        func messages() -> [String] {
            var messages: [String] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while case let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT)), count > 0 {
                messages.append(String(decoding: buffer[..<count], as: UTF8.self))
            }
            return messages
        }
    }

    @Test("systemd hears when the server serves, that it lives, that it reloads, and that it stops")
    func notifies() throws {
        let place = try Workplace()
        let socket = try NotifySocket(place("notify"))
        let server = try Server(
            place("data"), environment: ["NOTIFY_SOCKET": socket.path, "WATCHDOG_USEC": "100000"])
        var heard: [String] = []
        func hears(_ message: String, times: Int = 1) -> Bool {
            eventually(within: 20) {
                heard += socket.messages()
                return heard.count { $0.hasPrefix(message) } >= times
            }
        }
        #expect(hears("READY=1"))
        #expect(hears("WATCHDOG=1", times: 5))
        server.child.send(SIGHUP)
        #expect(hears("READY=1", times: 2))
        #expect(heard.contains { $0.wholeMatch(of: /RELOADING=1\nMONOTONIC_USEC=\d+/) != nil })
        #expect(!heard.contains("STOPPING=1"))
        #expect(try server.stop() == .signal(SIGTERM))
        #expect(hears("STOPPING=1"))
    }

    @Test("A watchdog of another process, or of nobody, hears nothing; one that waits for a quorum is not ready")
    func notifiesNobody() throws {
        let place = try Workplace()
        let socket = try NotifySocket(place("notify"))
        let cluster = try LocalCluster(["a", "b"], in: place)
        let a = cluster.members[0]
        a.environment = ["NOTIFY_SOCKET": socket.path, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"]
        try a.spawn()
        try a.awaitLog("listening for peers")
        a.child?.send(SIGHUP)
        usleep(500_000)
        #expect(socket.messages() == [])
        try cluster.members[1].spawn()
        try a.awaitReady()
        #expect(eventually { socket.messages().contains("READY=1") })
    }

    private struct Line: Decodable {
        let level, ts, logger, msg: String
    }

    @Test("The log is JSON when that is asked for, each line an object, whatever clients call their keys")
    func jsonLog() throws {
        let place = try Workplace()
        for (name, flags) in [("format", ["--log-format", "json"]), ("zap", ["--logger=zap"])] {
            let server = try Server(place(name), flags: flags)
            #expect(try server.stop() == .signal(SIGTERM))
            var lines: [Line] = []
            for line in server.log.split(separator: "\n") { lines.append(try JSONDecoder().decode(Line.self, from: Data(line.utf8))) }
            let ready = try #require(lines.first { $0.msg == "ready to serve client requests" })
            #expect(ready.level == "info" && ready.logger == "embed")
            #expect(ready.ts.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)
            #expect(lines.contains { $0.level == "warn" || $0.msg.hasPrefix("received terminated signal") })
        }
        let both = try Server(place("both"), flags: ["--logger=zap", "--log-format=text"])
        #expect(both.log.contains(" I | embed: ready to serve client requests\n") && !both.log.contains("{\"level\""))
    }

    @Test("The log goes to several places at once, and one that was rotated away is made anew")
    func places() throws {
        let place = try Workplace()
        let files = [place("one.txt"), place("two.txt")]
        let server = try Server(place("data"), flags: ["--log-outputs", (["stderr"] + files).joined(separator: ",")])
        func log(_ path: String) -> String { String(decoding: (try? Files.read(path)) ?? [], as: UTF8.self) }
        for file in files { #expect(eventually { log(file) == server.log }, "\(log(file))") }
        try FileManager.default.moveItem(atPath: files[1], toPath: files[1] + ".1")
        server.child.send(SIGHUP)
        #expect(eventually { log(files[1]).contains("received hangup signal") || log(files[0]).contains("received hangup signal") })
        #expect(try server.stop() == .signal(SIGTERM))
        #expect(log(files[0]) == server.log && server.log.contains("received terminated signal"))
        #expect(log(files[1] + ".1") + log(files[1]) == server.log && log(files[1]).contains("received terminated signal"))
    }

    @Test("SIGHUP takes the log level from the configuration file anew, goes on in a new log file, and serves on")
    func hangup() throws {
        let place = try Workplace()
        let file = place("log.txt")
        func configure(_ level: String) throws { try Files.write(Array("log-level: \(level)\nlog-outputs: ['\(file)']\n".utf8), to: place("conf.yml")) }
        try configure("info")
        let port = try Ports.free(), peer = try Ports.free()
        let url = "http://127.0.0.1:\(port)", peerURL = "http://127.0.0.1:\(peer)"
        let server = try Child(
            Program.server,
            ["--config-file", place("conf.yml"), "--data-dir", place("data"), "--listen-client-urls", url, "--advertise-client-urls", url,
             "--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL, "--initial-cluster", "default=\(peerURL)"],
            output: place("output"))
        func log(_ path: String) -> String { String(decoding: (try? Files.read(path)) ?? [], as: UTF8.self) }
        guard eventually(within: Server.startSeconds, { log(file).contains("ready to serve client requests") }) else {
            throw Failure("no start: \(server.text) \(log(file))")
        }
        let client = HTTPClient(port: port)
        let stream = try Socket(connectingTo: port)
        try stream.send(Array("GET /v2/keys/k?wait=true HTTP/1.1\r\nHost: x\r\n\r\n".utf8))

        try configure("debug")
        try FileManager.default.moveItem(atPath: file, toPath: file + ".1")
        server.send(SIGHUP)
        #expect(eventually { log(file).contains("log level = debug") }, "\(log(file))")
        #expect(!log(file + ".1").contains("log level = debug") && log(file + ".1").contains("ready to serve"))
        // Not a configuration: everything stays as it is.
        try Files.write(Array("log-level: [\n".utf8), to: place("conf.yml"))
        server.send(SIGHUP)
        #expect(eventually { log(file).contains("the configuration cannot be read any more") }, "\(log(file))")
        try configure("warn")
        server.send(SIGHUP)
        #expect(eventually { log(file).components(separatedBy: "hangup").count == 3 }, "\(log(file))")

        #expect(try client.put("/k", "v").isSuccess)
        #expect(try String(decoding: stream.receive(), as: UTF8.self).contains("200 OK"))
        #expect(server.ended == nil)
        server.send(SIGTERM)
        #expect(server.wait(seconds: 20) == .signal(SIGTERM))
        #expect(server.text == "")
    }

    @Test("The first process of a container ends with 0", .enabled(if: geteuid() == 0 && Program.isInstalled("unshare"), "needs root and unshare"))
    func firstProcess() throws {
        let place = try Workplace()
        guard try Run("unshare", ["--pid", "--fork", "true"]).isClean else { return }
        let port = try Ports.free(), peer = try Ports.free()
        let url = "http://127.0.0.1:\(port)", peerURL = "http://127.0.0.1:\(peer)"
        let outer = try Child(
            "unshare",
            ["--pid", "--fork", "--kill-child", Program.server, "--data-dir", place("data"), "--listen-client-urls", url,
             "--advertise-client-urls", url, "--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL,
             "--initial-cluster", "default=\(peerURL)"], output: place("log"))
        guard eventually(within: Server.startSeconds, { outer.text.contains("ready to serve client requests") }) else {
            throw Failure("no start: \(outer.text)")
        }
        let children = try String(decoding: Files.read("/proc/\(outer.pid)/task/\(outer.pid)/children"), as: UTF8.self)
        let inner = try #require(pid_t(children.split(separator: " ").first.map(String.init) ?? ""))
        kill(inner, SIGTERM)
        #expect(outer.wait(seconds: 20) == .exit(0), "\(outer.text)")
    }
}
