import Foundation
import TestSupport
import Testing

/// A server that has no file descriptor left.
@Suite("Out of file descriptors", .blocking)
struct DescriptorTests {
    @Test("Connections that are there are served, new ones wait without burning the processor, and are served when there is room")
    func exhausted() throws {
        guard Program.isInstalled("prlimit") else {
            print("not tested: file descriptors that run out (there is no prlimit here)")
            return
        }
        let place = try Workplace()
        let server = try Server(place("data"))
        let client = server.client()
        #expect(try client.put("/before", "1").isSuccess)
        let pid = server.child.pid
        let limit = try open(by: pid) + 8
        let limited = try Run("prlimit", ["--pid", "\(pid)", "--nofile=\(limit):\(limit)"])
        #expect(limited.isClean, "\(limited.text)")

        let crowd = try (0..<20).map { _ in try RawClient(port: Int(server.port)) }
        // Those above the limit were there before.
        #expect(try eventually { try open(by: pid) >= limit })
        let late = server.client(timeoutSeconds: 30)
        let answers = Answers()
        answers.ask("late", server.port) { try $0.put("/late", "1") }
        let before = try processorTicks(of: pid)
        for number in 1...20 {
            #expect(try client.put("/meanwhile/\(number)", "1").isSuccess)
            usleep(100_000)
        }
        let ticks = try processorTicks(of: pid) - before
        // Two seconds are 200; trying again and again takes nearly all of them.
        #expect(ticks < 100, "\(ticks) ticks of the processor in two seconds")
        #expect(try client.get("/late").status == 404, "there was room for more")

        for one in crowd { one.hangUp() }
        for (_, response) in try answers.all(within: 20) { #expect(response.isSuccess, "\(response.text)") }
        #expect(try late.get("/late").answer().node?.value == "1")
        #expect(try server.stop() == .signal(SIGTERM))
    }

    @Test("Clients that take all they can get leave enough for the members: one that comes back is let in, and writes go on")
    func crowded() throws {
        guard Program.isInstalled("prlimit") else { return print("not tested: a low limit of file descriptors (there is no prlimit here)") }
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        for member in cluster.members { member.launcher = ["prlimit", "--nofile=190:190"] }
        try cluster.start()
        let (a, b, c) = (try cluster["a"], try cluster["b"], try cluster["c"])
        let writer = a.client()
        #expect(try writer.put("/before", "1").isSuccess)
        // Strangers at the peer ports, too.
        var crowd: [RawClient] = []
        for port in [a.port, b.port, a.listenPeerPort, b.listenPeerPort] {
            for _ in 0..<190 { if let one = try? RawClient(port: Int(port)) { crowd.append(one) } }
        }
        try a.awaitLog("client connections, and no more are taken")
        let metrics = try writer.request("GET", "/metrics").text
        #expect(try #require(metrics.firstMatch(of: /etclite_client_connections_refused_total (\d+)/)).1 != "0")

        c.kill()
        try c.start()
        #expect(try c.client().put("/after", "1").isSuccess)
        b.kill()
        #expect(eventually(within: 30) { (try? c.client().put("/one/less", "1"))?.isSuccess == true })
        #expect(try writer.get("/after").answer().node?.value == "1")
        withExtendedLifetime(crowd) {}
    }

    private func open(by pid: pid_t) throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count }

    /// In user and system mode, a hundredth of a second each.
    private func processorTicks(of pid: pid_t) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        // The second field is the name, in brackets, and may hold anything.
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Int(fields[12]), let system = Int(fields[13]) else { throw Failure("strange: \(text)") }
        return user + system
    }
}
