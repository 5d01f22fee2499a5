import Foundation

/// A running `etclite` on a data directory; ended the hard way when this object goes.
final class Server: KeyReader {
    let directory: String
    let port: UInt16
    let peerPort: UInt16
    private let flags: [String]
    private let output: String
    private(set) var child: Child

    /// How long a start may take here, whatever else runs.
    static let startSeconds = 30.0

    /// Starts it and does not wait.
    init(spawning directory: String, flags: [String] = [], environment: [String: String] = [:], port: UInt16? = nil) throws {
        self.directory = directory
        self.flags = flags
        self.port = try port ?? Ports.free()
        peerPort = try Ports.free()
        output = directory + ".log"
        child = try Server.spawn(directory, flags, environment, self.port, peerPort, output)
    }

    /// Starts it and waits until it serves clients.
    convenience init(_ directory: String, flags: [String] = [], environment: [String: String] = [:], port: UInt16? = nil) throws {
        try self.init(spawning: directory, flags: flags, environment: environment, port: port)
        try waitUntilReady()
    }

    private static func spawn(
        _ directory: String, _ flags: [String], _ environment: [String: String], _ port: UInt16, _ peerPort: UInt16,
        _ output: String
    ) throws -> Child {
        let client = "http://127.0.0.1:\(port)"
        let peer = "http://127.0.0.1:\(peerPort)"
        return try Child(
            Program.server,
            [
                "--data-dir", directory, "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=\(peer)",
            ] + flags, environment: environment, output: output)
    }

    /// Standard output and error of the present process.
    var log: String { child.text }

    /// The text of each log line, without time, level and package.
    var messages: [String] {
        log.split(separator: "\n").map { line in
            line.range(of: " | ").map { String(line[$0.upperBound...]) } ?? String(line)
        }
    }

    func waitUntilReady() throws {
        let isReady = eventually(within: Server.startSeconds) {
            log.contains("ready to serve client requests") || child.ended != nil
        }
        guard isReady, child.ended == nil else {
            throw Failure("the server did not start (\(child.ended.map { "\($0)" } ?? "it still runs")): \(log)")
        }
    }

    /// Starts another process on the same directory and ports; the present one must have ended.
    func restart(environment: [String: String] = [:], moreFlags: [String] = []) throws {
        try respawn(environment: environment, moreFlags: moreFlags)
        try waitUntilReady()
    }

    func respawn(environment: [String: String] = [:], moreFlags: [String] = []) throws {
        guard child.ended != nil else { throw Failure("the server still runs") }
        child = try Server.spawn(directory, flags + moreFlags, environment, port, peerPort, output)
    }

    /// `kill -9`.
    func kill() { child.kill() }

    /// SIGTERM; how it ended.
    @discardableResult
    func stop() throws -> Child.Ending {
        child.send(SIGTERM)
        guard let ending = child.wait(seconds: 20) else { throw Failure("the server does not stop: \(log)") }
        return ending
    }

    func client(timeoutSeconds: Int = 20) -> HTTPClient { HTTPClient(port: port, timeoutSeconds: timeoutSeconds) }

    /// A plain read: what was acknowledged must show in it.
    func files(_ key: String = "/") throws -> (files: [String: Answer.Node], index: UInt64) {
        try client().files(key, "recursive=true")
    }
}
