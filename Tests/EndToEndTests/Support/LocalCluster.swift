import Foundation

/// Members of one cluster, started as people start etcd.
final class LocalCluster {
    final class Member {
        let name: String
        let directory: String
        let port: UInt16
        let peerURL: String
        fileprivate(set) var initialCluster: [String] = []
        private(set) var child: Child?

        fileprivate init(_ name: String, in place: Workplace) throws {
            self.name = name
            directory = place(name)
            port = try Ports.free()
            peerURL = "http://127.0.0.1:\(try Ports.free())"
        }

        var log: String { child?.text ?? "" }

        /// Starts it and does not wait.
        func spawn(flags: [String] = []) throws {
            if let child, child.ended == nil { throw Failure("\(name) still runs") }
            let client = "http://127.0.0.1:\(port)"
            child = try Child(
                Program.server,
                [
                    "--name", name, "--data-dir", directory, "--listen-client-urls", client, "--advertise-client-urls", client,
                    "--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL, "--initial-cluster",
                    initialCluster.joined(separator: ","), "--initial-cluster-token", "three",
                ] + flags, output: directory + ".log")
        }

        func awaitReady() throws {
            let isReady = eventually(within: Server.startSeconds) {
                log.contains("ready to serve client requests") || child?.ended != nil
            }
            guard isReady, child?.ended == nil else { throw Failure("\(name) did not start: \(log)") }
        }

        func kill() { child?.kill() }

        @discardableResult
        func stop() throws -> Child.Ending {
            child?.send(SIGTERM)
            guard let ending = child?.wait(seconds: 20) else { throw Failure("\(name) does not stop: \(log)") }
            return ending
        }

        func client(timeoutSeconds: Int = 20) -> HTTPClient { HTTPClient(port: port, timeoutSeconds: timeoutSeconds) }

        var isLeader: Bool {
            let response = try? client(timeoutSeconds: 2).request("GET", "/v2/stats/self")
            return response?.text.contains("\"state\":\"StateLeader\"") == true
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

    init(_ names: [String], in place: Workplace) throws {
        members = try names.map { try Member($0, in: place) }
        for member in members { member.initialCluster = members.map { "\($0.name)=\($0.peerURL)" } }
    }

    func start() throws {
        for member in members { try member.spawn() }
        for member in members { try member.awaitReady() }
    }

    func leader(within seconds: Double = 15) throws -> Member {
        var found: Member?
        _ = eventually(within: seconds) {
            found = members.first { $0.child?.ended == nil && $0.isLeader }
            return found != nil
        }
        guard let found else { throw Failure("no leader: \(members.map(\.log).joined(separator: "\n\n"))") }
        return found
    }
}
