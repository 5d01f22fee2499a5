import Foundation

/// A PostgreSQL that Patroni looks after; both are ended the hard way when this object goes.
///
/// PostgreSQL does not run as root: where the tests do, it is Debian's user `postgres`.
final class PatroniNode {
    let name: String
    let directory: String
    private let port: UInt16
    private let api: UInt16
    private(set) var child: Child?

    /// The newest PostgreSQL that Debian has put there.
    static let programs = Files.names("/usr/lib/postgresql").compactMap { Int($0) }.max().map { "/usr/lib/postgresql/\($0)/bin" }

    static var isPossible: Bool {
        Program.isInstalled("patroni") && programs != nil && Program.python.has("etcd") && (getuid() != 0 || getpwnam("postgres") != nil && Program.isInstalled("setpriv"))
    }

    private static let asOther = getuid() == 0 ? ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"] : []

    /// - Parameters:
    ///   - etcd: what stands behind `etcd:` in Patroni's configuration.
    ///   - files: certificates and keys that it names, which are copied beside it.
    init(_ name: String, in place: Workplace, etcd: String, files: [String]) throws {
        self.name = name
        directory = place(name)
        (port, api) = (try Ports.free(), try Ports.free())
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for file in files { try Files.copy(file, to: "\(directory)/\(URL(fileURLWithPath: file).lastPathComponent)") }
        let settings = """
            scope: demo
            namespace: /service/
            name: \(name)
            restapi: {listen: "127.0.0.1:\(api)", connect_address: "127.0.0.1:\(api)"}
            etcd: \(etcd.replacing("{files}", with: directory))
            bootstrap:
              dcs:
                {ttl: 20, loop_wait: 1, retry_timeout: 3, maximum_lag_on_failover: 1000000000,
                 postgresql: {parameters: {shared_buffers: 8MB, max_connections: 20}}}
              initdb: [{encoding: UTF8}, no-sync]
              pg_hba: ["host replication all 127.0.0.1/32 trust", "host all all 127.0.0.1/32 trust", "local all all trust"]
            postgresql:
              listen: 127.0.0.1:\(port)
              connect_address: 127.0.0.1:\(port)
              data_dir: \(directory)/data
              bin_dir: \(Self.programs ?? "")
              pgpass: \(directory)/pgpass
              authentication: {superuser: {username: postgres, password: x}, replication: {username: replicator, password: x}}
              parameters: {unix_socket_directories: \(directory), fsync: "off"}

            """
        try settings.write(toFile: directory + "/patroni.yml", atomically: true, encoding: .utf8)
        guard !Self.asOther.isEmpty else { return }
        let owner = try Run("chown", ["-R", "postgres:postgres", directory])
        guard owner.isClean else { throw Failure(owner.text) }
    }

    deinit { kill() }

    var log: String { child?.text ?? "" }

    func start() throws {
        let command = Self.asOther + ["patroni", directory + "/patroni.yml"]
        child = try Child(command[0], Array(command.dropFirst()), output: directory + ".log")
    }

    func control(_ arguments: String...) throws -> Run {
        try Run("patronictl", ["-c", directory + "/patroni.yml"] + arguments, seconds: 60)
    }

    /// What a query says, one value.
    func query(_ sql: String) throws -> String {
        try Run((Self.programs ?? "") + "/psql", ["-h", "127.0.0.1", "-p", "\(port)", "-U", "postgres", "-Atc", sql]).text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// As if the machine had gone: Patroni, then its database.
    func kill() {
        child?.kill()
        let stop = Self.asOther + [(Self.programs ?? "") + "/pg_ctl", "-D", directory + "/data", "-m", "immediate", "stop"]
        _ = try? Run(stop[0], Array(stop.dropFirst()))
    }
}
