import Foundation

/// A network of its own, with addresses on its loopback and a name server of Debian's: nothing of it can be seen outside. Removed at its end.
final class NetworkNamespace {
    let name = "etclite-\(getpid())-\(UInt16.random(in: .min ... .max))"
    private var nameServer: Child?

    /// Why there can be none here; nil: there can.
    static let hindrance: String? = {
        if geteuid() != 0 { return "network namespaces are root's" }
        for program in ["ip", "dnsmasq"] where !Program.isInstalled(program) { return "\(program) is not installed" }
        let name = "etclite-\(getpid())-probe"
        defer { _ = try? Run("ip", ["netns", "del", name]) }
        guard (try? Run("ip", ["netns", "add", name]))?.isClean == true,
            (try? Run("ip", ["netns", "exec", name, "ip", "link", "set", "lo", "up"]))?.isClean == true
        else { return "network namespaces cannot be made here" }
        return nil
    }()

    /// - Parameters:
    ///   - addresses: of its loopback, besides the usual ones.
    ///   - records: options of dnsmasq.
    init(addresses: [String], records: [String], in place: Workplace) throws {
        try must(["netns", "add", name])
        try must(["-n", name, "link", "set", "lo", "up"])
        for address in addresses { try must(["-n", name, "addr", "add", "\(address)/32", "dev", "lo"]) }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Files.write(Array("nameserver 127.0.0.1\noptions timeout:2\n".utf8), to: directory + "/resolv.conf")
        nameServer = try spawn(
            "dnsmasq",
            [
                "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces",
                "--user=root", "--pid-file=", "--local=/test/", "--log-queries", "--log-facility=-",
            ] + records, output: place("dnsmasq.log"))
        guard eventually(within: 10, { nameServer?.text.contains("started") == true }) else { throw Failure(nameServer?.text ?? "") }
    }

    deinit {
        nameServer?.kill()
        _ = try? Run("ip", ["netns", "del", name])
        Files.remove(directory)
    }

    /// What the name server was asked and said.
    var log: String { nameServer?.text ?? "" }

    /// By custom of `ip netns`: what processes inside see as `/etc`.
    private var directory: String { "/etc/netns/" + name }

    private func must(_ arguments: [String]) throws {
        let run = try Run("ip", arguments)
        guard run.isClean else { throw Failure("ip \(arguments): \(run.text)") }
    }

    /// Inside.
    func spawn(_ program: String, _ arguments: [String], output: String) throws -> Child {
        try Child("ip", ["netns", "exec", name, program] + arguments, output: output)
    }

    /// Inside, to its end.
    func run(_ program: String, _ arguments: [String]) throws -> Run {
        try Run("ip", ["netns", "exec", name, program] + arguments)
    }
}
