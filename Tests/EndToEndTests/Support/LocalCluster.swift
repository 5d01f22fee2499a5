import Foundation

/// Members of one cluster, started as people start etcd.
final class LocalCluster {
    final class Member: KeyReader {
        let name: String
        let directory: String
        let port: UInt16
        /// What the others are told.
        let peerURL: String
        let listenPeerPort: UInt16
        var initialCluster: [String] = []
        /// For the next starts.
        var flags: [String]
        var environment: [String: String] = [:]
        /// A program, and its arguments, that becomes the member.
        var launcher: [String] = []
        /// For a test's own use.
        var isMarked = false
        private(set) var child: Child?

        fileprivate init(
            _ name: String, in directory: String, port: UInt16, peerPort: UInt16, listenPeerPort: UInt16, _ flags: [String]
        ) {
            self.name = name
            self.directory = directory
            self.port = port
            self.listenPeerPort = listenPeerPort
            self.flags = flags
            peerURL = "http://127.0.0.1:\(peerPort)"
        }

        var log: String { child?.text ?? "" }
        var isRunning: Bool { child.map { $0.ended == nil } ?? false }

        /// Starts it and does not wait.
        func spawn() throws {
            if isRunning { throw Failure("\(name) still runs") }
            let client = "http://127.0.0.1:\(port)"
            let command = launcher + [
                Program.server, "--name", name, "--data-dir", directory, "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", "http://127.0.0.1:\(listenPeerPort)", "--initial-advertise-peer-urls", peerURL,
                "--initial-cluster", initialCluster.joined(separator: ","),
            ] + flags
            child = try Child(command[0], Array(command.dropFirst()), environment: environment, output: directory + ".log")
        }

        func awaitReady() throws {
            let isReady = eventually(within: Server.startSeconds) {
                log.contains("ready to serve client requests") || child?.ended != nil
            }
            guard isReady, isRunning else { throw Failure("\(name) did not start: \(log)") }
        }

        func start() throws {
            try spawn()
            try awaitReady()
        }

        func awaitLog(_ text: String, within seconds: Double = 20) throws {
            guard eventually(within: seconds, { log.contains(text) }) else { throw Failure("\(name) does not say '\(text)': \(log)") }
        }

        func kill() { child?.kill() }

        @discardableResult
        func stop() throws -> Child.Ending {
            child?.send(SIGTERM)
            guard let ending = child?.wait(seconds: 20) else { throw Failure("\(name) does not stop: \(log)") }
            return ending
        }

        func client(timeoutSeconds: Int = 20) -> HTTPClient { HTTPClient(port: port, timeoutSeconds: timeoutSeconds) }

        /// What a majority vouches for, read here.
        func files(_ key: String = "/") throws -> (files: [String: Answer.Node], index: UInt64) {
            try client().files(key, "recursive=true&quorum=true")
        }

        var isLeader: Bool {
            let response = try? client(timeoutSeconds: 2).request("GET", "/v2/stats/self")
            return response?.text.contains("\"state\":\"StateLeader\"") == true
        }

        /// Hexadecimal, as people see it.
        func id() throws -> String {
            let text = try client().request("GET", "/v2/stats/self").text
            guard let match = text.firstMatch(of: /"id":"([0-9a-f]+)"/) else { throw Failure("no id in \(text)") }
            return String(match.1)
        }

        /// How far the log and the tree are.
        fileprivate func position() throws -> String {
            let response = try client(timeoutSeconds: 5).get("/")
            return "\(response.headers["x-raft-index"] ?? "?") \(response.headers["x-etcd-index"] ?? "?")"
        }

        /// What the files hold, with the rest of the log applied.
        func stateHash() throws -> String {
            let status = try Program.etcliteutl("status", directory)
            guard let line = status.text.split(separator: "\n").first(where: { $0.contains("state hash") }) else {
                throw Failure("etcliteutl status: \(status.text)")
            }
            return String(line.split(separator: " ").last ?? "")
        }
    }

    private(set) var members: [Member] = []
    let network: FaultNetwork?
    private let place: Workplace
    private let token: String

    /// - Parameters:
    ///   - flags: of every member.
    ///   - isFaulty: the members talk through `network`.
    ///   - directories: for members whose data must not lie in `place`.
    init(
        _ names: [String], in place: Workplace, flags: [String] = [], isFaulty: Bool = false, token: String = "three",
        directories: [String: String] = [:]
    ) throws {
        self.place = place
        self.token = token
        network = isFaulty ? FaultNetwork() : nil
        members = try names.map { try make($0, directories[$0] ?? place($0), flags) }
        for member in members { member.initialCluster = members.map { "\($0.name)=\($0.peerURL)" } }
    }

    private func make(_ name: String, _ directory: String, _ flags: [String]) throws -> Member {
        let listen = try Ports.free()
        let peer = try network.map { try $0.proxy(of: name, before: listen) } ?? listen
        return Member(
            name, in: directory, port: try Ports.free(), peerPort: peer, listenPeerPort: listen,
            ["--initial-cluster-token", token] + flags)
    }

    subscript(_ name: String) -> Member {
        get throws {
            guard let member = members.first(where: { $0.name == name }) else { throw Failure("there is no \(name)") }
            return member
        }
    }

    var running: [Member] { members.filter(\.isRunning) }
    var ports: [UInt16] { members.map(\.port) }

    func start() throws {
        for member in members { try member.spawn() }
        for member in members { try member.awaitReady() }
        try tellNetwork()
    }

    /// The network knows members by the ids that they say on their connections.
    private func tellNetwork() throws {
        guard let network else { return }
        for member in running { network.name(try member.id(), member.name) }
    }

    func leader(within seconds: Double = 15) throws -> Member {
        var found: Member?
        _ = eventually(within: seconds) {
            found = members.first { $0.isRunning && $0.isLeader }
            return found != nil
        }
        guard let found else { throw Failure("no leader: \(members.map(\.log).joined(separator: "\n\n"))") }
        return found
    }

    func followers(of leader: Member) -> [Member] { running.filter { $0 !== leader } }

    // MARK: Members that come and go

    /// `POST /v2/members`, and the member to start; it is not in `members` before `join`.
    func add(_ name: String, by member: Member, flags: [String] = []) throws -> Member {
        let new = try make(name, place(name), flags + ["--initial-cluster-state", "existing"])
        var answer = HTTPClient.Response()
        // Refused for five seconds after a member has come.
        _ = try eventually(within: 20) {
            answer = try member.client().request("POST", "/v2/members", json: "{\"peerURLs\":[\"\(new.peerURL)\"]}")
            return answer.status == 201
        }
        guard answer.status == 201 else { throw Failure("member add: \(answer.status) \(answer.text)") }
        let all = members + [new]
        new.initialCluster = all.map { "\($0.name)=\($0.peerURL)" }
        members = all
        return new
    }

    /// `DELETE /v2/members/<id>`; a member that runs is waited for.
    func remove(_ member: Member, _ id: String, by other: Member) throws {
        let answer = try other.client().request("DELETE", "/v2/members/\(id)")
        guard answer.status == 204 else { throw Failure("member remove: \(answer.status) \(answer.text)") }
        members.removeAll { $0 === member }
    }

    /// It is no longer of interest.
    func forget(_ member: Member) {
        member.kill()
        members.removeAll { $0 === member }
    }

    // MARK: The end

    /// Every member has all promises kept, and in the end all have the same state. Stops them.
    func complaints(_ ledger: Ledger? = nil) throws -> [String] {
        var complaints: [String] = []
        for member in running {
            let found = try ledger?.complaints(about: member) ?? []
            complaints += found.prefix(3).map { "\(member.name): \($0)" }
        }
        var positions: Set<String> = []
        let areLevel = try eventually(within: 20) {
            positions = Set(try running.map { try $0.position() })
            return positions.count == 1
        }
        if !areLevel { complaints.append("the members do not come to the same position: \(positions)") }
        let stopped = running
        for member in stopped { member.child?.send(SIGTERM) }
        for member in stopped where try member.stop() != .signal(SIGTERM) { complaints.append("\(member.name) stopped as it should not") }
        var hashes: [String: [String]] = [:]
        for member in members { hashes[try member.stateHash(), default: []].append(member.name) }
        if hashes.count != 1 || hashes.keys.contains("") { complaints.append("the states are not the same: \(hashes)") }
        return complaints
    }
}
