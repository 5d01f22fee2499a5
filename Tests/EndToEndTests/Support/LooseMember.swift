import Foundation

/// A member that each test starts as it likes: alone, as one of several, with the flags of etcd 0.4.
final class LooseMember {
    let name: String
    let directory: String
    let port: UInt16
    private(set) var peerPort: UInt16
    private(set) var child: Child?

    init(_ name: String, in place: Workplace) throws {
        self.name = name
        directory = place(name)
        port = try Ports.free()
        peerPort = try Ports.free()
    }

    var clientURL: String { "http://127.0.0.1:\(port)" }
    var peerURL: String { "http://127.0.0.1:\(peerPort)" }
    var log: String { child?.text ?? "" }

    /// It listens for its peers there when it is started next.
    func move() throws { peerPort = try Ports.free() }

    /// Starts it with etcd's flags and does not wait.
    func spawn(_ members: [LooseMember], state: String = "new", token: String = "loose", flags: [String] = []) throws {
        try spawn(
            flags: [
                "--name", name, "--data-dir", directory, "--listen-client-urls", clientURL, "--advertise-client-urls", clientURL,
                "--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL, "--initial-cluster-token", token,
                "--initial-cluster-state", state, "--initial-cluster", members.map { "\($0.name)=\($0.peerURL)" }.joined(separator: ","),
            ] + flags)
    }

    /// Starts it with flags that say where its founders are, and does not wait.
    func spawn(finding flags: [String], program: String = Program.server) throws {
        try spawn(
            program: program,
            flags: [
                "--name", name, "--data-dir", directory, "--listen-client-urls", clientURL, "--advertise-client-urls", clientURL,
                "--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL,
            ] + flags)
    }

    /// What it says sooner or later.
    func awaitLog(_ text: String, within seconds: Double = 20) throws {
        guard eventually(within: seconds, { log.contains(text) }) else { throw Failure("\(name) does not say '\(text)': \(log)") }
    }

    /// Starts it with the flags of etcd 0.4.6 and does not wait.
    func spawn(joining peers: [LooseMember]) throws {
        var flags = ["-name", name, "-data-dir", directory, "-addr", "127.0.0.1:\(port)", "-peer-addr", "127.0.0.1:\(peerPort)"]
        if !peers.isEmpty { flags += ["-peers", peers.map { "127.0.0.1:\($0.peerPort)" }.joined(separator: ",")] }
        try spawn(flags: flags)
    }

    private func spawn(program: String = Program.server, flags: [String]) throws {
        if let child, child.ended == nil { throw Failure("\(name) still runs") }
        child = try Child(program, flags, output: directory + ".log")
    }

    func awaitReady() throws {
        let isReady = eventually(within: Server.startSeconds) { log.contains("ready to serve client requests") || child?.ended != nil }
        guard isReady, child?.ended == nil else { throw Failure("\(name) did not start: \(log)") }
    }

    /// How it ends by itself.
    func awaitEnd() throws -> Child.Ending {
        guard let ending = child?.wait(seconds: 20) else { throw Failure("\(name) goes on: \(log)") }
        return ending
    }

    func kill() { child?.kill() }
    func loseData() { Files.remove(directory) }
    func client() -> HTTPClient { HTTPClient(port: port) }

    /// What `/members` on the peer port says; nil while nobody answers.
    func peerAnswer(_ path: String) -> String? { try? HTTPClient(port: peerPort, timeoutSeconds: 2).request("GET", path).text }

    func isLeader() -> Bool {
        (try? client().request("GET", "/v2/stats/self").text.contains("\"state\":\"StateLeader\"")) ?? false
    }

    /// Its identity, as the cluster shows it.
    func id(asking other: LooseMember) throws -> String {
        struct List: Decodable {
            struct Member: Decodable {
                let id: String
                let peerURLs: [String]
            }
            let members: [Member]
        }
        let answer = try other.client().request("GET", "/v2/members")
        let list = try JSONDecoder().decode(List.self, from: Data(answer.body))
        guard let found = list.members.first(where: { $0.peerURLs == [peerURL] }) else { throw Failure("no \(name) in \(answer.text)") }
        return found.id
    }

    /// A member command of our own client; tried again while the cluster does not want a change so soon after another.
    func ctl(_ words: String...) throws -> Run {
        var run: Run?
        _ = try eventually(within: 20) {
            let one = try Run(Program.client, ["--endpoints", clientURL, "--total-timeout", "15s", "--timeout", "10s"] + words)
            run = one
            return !one.text.contains("must be connected for 5 s")
        }
        guard let run else { throw Failure("\(words) was not tried") }
        return run
    }
}
