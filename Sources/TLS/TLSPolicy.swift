import NIOCore
import NIOSSL
import Synchronization

/// How connections of one kind are encrypted, and who may come in: for listeners and for connections that go out. Every new connection takes
/// the files as they were last read; those that stand keep what they have.
///
/// Any thread may use it. Reading files blocks, so `reload` and `poll` are not for event loops.
package final class TLSPolicy: Sendable {
    /// What a look at the files came to.
    package struct Outcome: Equatable, Sendable {
        /// What new connections take from now on; nil for nothing new.
        package var renewed: String?
        /// Why some of the new files are of no use, so that the old ones count on; told once for each state of the files.
        package var kept: String?

        package static let unchanged = Outcome()
    }

    private struct State {
        var material: Material
        var client: NIOSSLContext?
        var renewals = 0
        var failures = 0
    }

    package let settings: TLSSettings
    /// Held while files are read, so never for a connection. Nil: there are none.
    private let files: Mutex<CertificateFiles?>
    private let state: Mutex<State>

    /// Reads and checks the files.
    ///
    /// - Throws: one sentence that names the file.
    package init(_ settings: TLSSettings) throws(TLSFailure) {
        self.settings = settings
        let files = try CertificateFiles(settings)
        state = Mutex(State(material: try Material(settings, files)))
        self.files = Mutex(files)
    }

    /// Trusts the system's authorities, and shows no certificate.
    package static let system = TLSPolicy()

    private init() {
        settings = TLSSettings()
        files = Mutex(nil)
        state = Mutex(State(material: .system))
    }

    // MARK: Connections

    /// Whether there is a certificate to listen with.
    package var canListen: Bool { state.withLock { $0.material.server != nil } }

    /// For a connection that somebody has made to this side.
    ///
    /// - Throws: when there is no certificate.
    package func serverHandler() throws -> NIOSSLServerHandler {
        guard let context = state.withLock({ $0.material.server }) else { throw TLSFailure("there is no certificate to listen with") }
        return NIOSSLServerHandler(context: context)
    }

    /// For a connection that this side makes. The other must prove to be `host`, unless any server is trusted.
    ///
    /// - Parameter host: a name or an address; nil for the file of a socket, which counts as `localhost`.
    package func clientHandler(to host: String?) throws -> NIOSSLClientHandler {
        let host = host ?? "localhost"
        // The address that is dialled is the one that is checked.
        return try NIOSSLClientHandler(context: clientContext(), serverHostname: IPAddress.bytes(host) == nil ? host : nil)
    }

    private func clientContext() throws -> NIOSSLContext {
        try state.withLock { state in
            if let context = state.client { return context }
            // With the system's authorities this takes some tens of milliseconds, once.
            let context = try NIOSSLContext(configuration: state.material.clientConfiguration)
            state.client = context
            return context
        }
    }

    // MARK: Who may come in

    package enum Admission: Sendable {
        case admitted(CertificateFacts?)
        case refused(String)
        /// Only a name server can tell: ask `admitByName` on a thread that may block.
        case undecided(CertificateFacts)
    }

    /// Judges the other side of a connection on which the handshake has succeeded, so that the certificate has been verified already.
    ///
    /// - Parameters:
    ///   - certificate: of the other side; nil for none.
    ///   - address: where it comes from, without a port; nil for a socket in the file system.
    ///   - isDialled: this side has made the connection.
    package func judge(_ certificate: NIOSSLCertificate?, from address: String?, isDialled: Bool = false) -> Admission {
        // A side that shows nothing has passed the handshake, so nothing was demanded.
        guard let certificate else { return .admitted(nil) }
        if isDialled, settings.trustsAnyServer { return .admitted(nil) }
        let facts: CertificateFacts
        do {
            facts = try CertificateFacts(certificate, in: nil)
        } catch {
            return .refused("tls: \(error)")
        }
        if state.withLock({ $0.material.revocations?.contains(facts) ?? false }) {
            return .refused("transport: certificate \(facts.subject) with serial number \(TLSPolicy.hex(facts.serial)) revoked")
        }
        // A session that is resumed was verified when it began.
        if !isDialled, let problem = facts.dateProblem(at: Moment.now()) { return .refused("tls: \(problem)") }
        if let name = settings.allowedCommonName, facts.commonName != name {
            return .refused("tls: client certificate authentication failed: \(facts.subject) does not have the common name \(name)")
        }
        if let name = settings.allowedHostname, !facts.names(name) {
            return .refused("tls: client certificate authentication failed: \(facts.subject) is not valid for \(name)")
        }
        guard settings.checksAddress, !isDialled, let address, !(facts.addresses.isEmpty && facts.dnsNames.isEmpty) else {
            return .admitted(facts)
        }
        guard let bytes = IPAddress.bytes(address) else { return .refused(TLSPolicy.mismatch(address, facts)) }
        if facts.addresses.contains(bytes) { return .admitted(facts) }
        return facts.dnsNames.isEmpty ? .refused(TLSPolicy.mismatch(address, facts)) : .undecided(facts)
    }

    /// How many names of one certificate are looked up. A member has a few.
    static let namesMax = 16

    /// Whether one of the names in the certificate leads to that address. Blocks.
    ///
    /// - Parameter isOver: asked before each name: nobody waits for the answer any more.
    package static func admitByName(_ facts: CertificateFacts, from address: String, isOver: () -> Bool) -> Admission {
        admitByName(facts, from: address, isOver: isOver, lookUp: IPAddress.lookUp)
    }

    /// - Parameter lookUp: the addresses of a name, 4 or 16 bytes each.
    static func admitByName(
        _ facts: CertificateFacts, from address: String, isOver: () -> Bool, lookUp: (String) -> [[UInt8]]
    ) -> Admission {
        guard let bytes = IPAddress.bytes(address) else { return .refused(mismatch(address, facts)) }
        let (open, whole) = (facts.dnsNames.contains { $0.hasPrefix("*.") }, facts.dnsNames.filter { !$0.hasPrefix("*.") })
        for name in whole.prefix(namesMax) {
            if isOver() { return .refused(TLSPolicy.unanswered) }
            if lookUp(name).contains(bytes) { return .admitted(facts) }
        }
        if open, isOver() { return .refused(TLSPolicy.unanswered) }
        if open, let host = IPAddress.name(of: address), facts.names(host) { return .admitted(facts) }
        return .refused(mismatch(address, facts))
    }

    /// Why somebody is refused whom a name server might have let in.
    package static let unanswered = "tls: no answer from the name server in time"

    private static func mismatch(_ address: String, _ facts: CertificateFacts) -> String {
        let names = facts.dnsNames.map { "\"\($0)\"" }.joined(separator: " ")
        return facts.dnsNames.isEmpty
            ? "tls: certificate \(facts.subject) is not valid for \(address)"
            : "tls: \"\(address)\" does not match any of DNSNames [\(names)]"
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    // MARK: New files

    /// Reads the files again, whether they have changed or not.
    package func reload() -> Outcome { look(isAsked: true) }

    /// Reads those files again that have changed. A pair of which one half has been written so far is given until the next look.
    package func poll() -> Outcome { look(isAsked: false) }

    private func look(isAsked: Bool) -> Outcome {
        files.withLock { files in
            guard var outcome = files?.look(isAsked: isAsked), outcome != .unchanged else { return .unchanged }
            do throws(TLSFailure) {
                if outcome.renewed != nil, let files {
                    let material = try Material(settings, files)
                    state.withLock { ($0.material, $0.client, $0.renewals) = (material, nil, $0.renewals + 1) }
                }
            } catch {
                outcome = Outcome(kept: error.description)
            }
            if outcome.kept != nil { state.withLock { $0.failures += 1 } }
            return outcome
        }
    }

    // MARK: What can be told

    /// Figures for `/metrics`.
    package struct Figures: Sendable, Equatable {
        /// Seconds since 1970; nil without a certificate.
        package var certificateExpires: Int?
        /// Of the authority that expires first; nil when the system's are trusted.
        package var authorityExpires: Int?
        package var renewals: Int
        /// Attempts to take new files that were of no use.
        package var failures: Int
    }

    package var figures: Figures {
        state.withLock {
            Figures(
                certificateExpires: $0.material.leaf?.notAfter, authorityExpires: $0.material.authority?.notAfter, renewals: $0.renewals,
                failures: $0.failures)
        }
    }

    /// What is wrong with the dates of the files in use, each a sentence with file, subject and date; soon to expire counts.
    package func dateWarnings(at now: Int = Moment.now(), secondsAhead: Int = 0) -> [String] {
        let (leaf, authority) = state.withLock { ($0.material.leaf, $0.material.authority) }
        return [(leaf, settings.certificateFile), (authority, settings.trustedCAFile)].compactMap { facts, file in
            guard let facts, let file else { return nil }
            if let problem = facts.dateProblem(at: now) { return "\(file): \(problem)" }
            guard facts.dateProblem(at: now + secondsAhead) != nil else { return nil }
            return "\(file): certificate \(facts.subject) expires soon: it is valid until \(Moment.text(facts.notAfter))"
        }
    }
}
