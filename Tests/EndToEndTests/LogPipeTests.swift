import Foundation
import Testing

/// A log that nobody reads: standard error is a full pipe.
@Suite("A log pipe that nobody drains", .blocking)
struct LogPipeTests {
    /// A named pipe in which no byte has room, in the place of the file that a member logs to.
    private final class FullPipe {
        private let descriptor: Int32

        init(_ path: String) throws {
            guard mkfifo(path, 0o600) == 0 else { throw Failure("mkfifo \(path): \(String(cString: strerror(errno)))") }
            descriptor = open(path, O_RDWR | O_NONBLOCK)
            guard descriptor >= 0 else { throw Failure("open \(path)") }
            let line = [UInt8](repeating: UInt8(ascii: "x"), count: 4095) + [UInt8(ascii: "\n")]
            while write(descriptor, line, line.count) > 0 {}
        }

        deinit { close(descriptor) }

        /// What comes out, until that is among it.
        func drained(until text: String) -> String {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            _ = eventually(within: 20) {
                while true {
                    let count = read(descriptor, &chunk, chunk.count)
                    if count <= 0 { break }
                    bytes += chunk.prefix(count)
                }
                return String(decoding: bytes, as: UTF8.self).contains(text)
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private func awaitHealthy(_ member: LocalCluster.Member) -> Bool {
        eventually(within: Server.startSeconds) {
            (try? member.client(timeoutSeconds: 5).request("GET", "/health"))?.status == 200
        }
    }

    @Test("Members elect, serve and stop as ever; the lines come, in order, when somebody reads them")
    func election() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place, flags: ["--log-level", "debug"])
        let pipes = try cluster.members.map { try FullPipe($0.directory + ".log") }
        for member in cluster.members { try member.spawn() }
        for member in cluster.members { try #require(awaitHealthy(member), "\(member.name) is not healthy") }
        #expect(try cluster.members[0].client().put("/a", "1").isSuccess)

        let leader = try cluster.leader()
        leader.kill()
        let rest = cluster.members.filter { $0 !== leader }
        #expect(try rest[0].client().put("/a", "2").isSuccess)
        #expect(try rest[1].client().put("/a", "3").isSuccess)

        let place0 = try #require(cluster.members.firstIndex { $0 === rest[0] })
        let text = pipes[place0].drained(until: "elected leader")
        let steps = ["name = \(rest[0].name)", "starting member", "ready to serve client requests"].map { text.range(of: $0)?.lowerBound }
        #expect(!steps.contains(nil) && steps.compactMap { $0 } == steps.compactMap { $0 }.sorted(), "\(text.suffix(4000))")

        // One of them still has a full pipe: it ends nevertheless.
        for member in rest { #expect(try member.stop() == .signal(SIGTERM)) }
    }

    @Test("A member that cannot start ends, and says why when anybody takes it")
    func refusal() throws {
        let place = try Workplace()
        let server = try Server(place("data"))
        let pipe = try FullPipe(place("second.log"))
        let url = "http://127.0.0.1:\(try Ports.free())"
        let child = try Child(
            Program.server, ["--data-dir", place("data"), "--listen-client-urls", url, "--advertise-client-urls", url,
                "--listen-peer-urls", "http://127.0.0.1:\(try Ports.free())"], output: place("second.log"))
        let ending = child.wait(seconds: 20)
        #expect(ending == .exit(1))
        #expect(!pipe.drained(until: "x").contains("is in use by process"))

        let again = try Child(
            Program.server, ["--data-dir", place("data"), "--listen-client-urls", url, "--advertise-client-urls", url,
                "--listen-peer-urls", "http://127.0.0.1:\(try Ports.free())"], output: place("second.log"))
        #expect(pipe.drained(until: "is in use by process").contains("in use by process \(server.child.pid)"))
        #expect(again.wait(seconds: 20) == .exit(1))
    }
}
