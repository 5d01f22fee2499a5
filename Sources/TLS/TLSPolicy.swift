import NIOCore
import NIOSSL
import Synchronization

/// How connections of one kind are encrypted, and who may come in: for listeners and for connections that go out. Every new connection takes
/// the files as they were last read; those that stand keep what they have.
///
/// Any thread may use it. Reading files blocks, so `reload` and `poll` are not for event loops.
package final class TLSPolicy: Sendable {
    /// What a look at the files came to.
    package enum Outcome: Equatable, Sendable {
        case unchanged
        /// New connections take the new files.
        case renewed(String)
        /// The new files are of no use; the old ones count on. Told once for each state of the files.
        case kept(because: String)
    }

    private struct State {
        var material: Material
        var client: NIOSSLContext?
        var stamps: [SecretFile.Stamp?]
        /// The files as of the last attempt that failed, and whether that was told.
        var failed: (stamps: [SecretFile.Stamp?], reason: String, isTold: Bool)?
        var renewals = 0
        var failures = 0
    }

    package let settings: TLSSettings
    private let state: Mutex<State>

    /// Reads and checks the files.
    ///
    /// - Throws: one sentence that names the file.
    package init(_ settings: TLSSettings) throws(TLSFailure) {
        self.settings = settings
        let stamps = TLSPolicy.stamps(settings)
        state = Mutex(State(material: try Material(settings), stamps: stamps))
    }

    /// Trusts the system's authorities, and shows no certificate.
    package static let system = TLSPolicy(TLSSettings(), Material.empty)

    private init(_ settings: TLSSettings, _ material: Material) {
        self.settings = settings
        state = Mutex(State(material: material, stamps: []))
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
            facts = try CertificateFacts(certificate)
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

    /// Whether one of the names in the certificate leads to that address. Blocks.
    package static func admitByName(_ facts: CertificateFacts, from address: String) -> Admission {
        guard let bytes = IPAddress.bytes(address) else { return .refused(mismatch(address, facts)) }
        for name in facts.dnsNames where !name.hasPrefix("*.") {
            if IPAddress.lookUp(name).contains(bytes) { return .admitted(facts) }
        }
        if facts.dnsNames.contains(where: { $0.hasPrefix("*.") }), let host = IPAddress.name(of: address), facts.names(host) {
            return .admitted(facts)
        }
        return .refused(mismatch(address, facts))
    }

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
    package func reload() -> Outcome { renew(TLSPolicy.stamps(settings), isAsked: true) }

    /// Reads the files again if they have changed. A pair of which one half has been written so far is given until the next look.
    package func poll() -> Outcome {
        let stamps = TLSPolicy.stamps(settings)
        let isDue = state.withLock { $0.stamps != stamps }
        return isDue ? renew(stamps, isAsked: false) : .unchanged
    }

    private func renew(_ stamps: [SecretFile.Stamp?], isAsked: Bool) -> Outcome {
        do throws(TLSFailure) {
            let material = try Material(settings)
            if let leaf = material.leaf, let problem = leaf.dateProblem(at: Moment.now()) {
                throw TLSFailure("\(settings.certificateFile ?? ""): \(problem)")
            }
            state.withLock { state in
                // What was read may be newer than the stamps, never older: at worst it is read once more.
                (state.material, state.client, state.stamps, state.failed) = (material, nil, stamps, nil)
                state.renewals += 1
            }
            return .renewed(TLSPolicy.describe(material, settings))
        } catch {
            let reason = error.description
            return state.withLock { state in
                let isSame = state.failed.map { $0.stamps == stamps && $0.reason == reason } ?? false
                if isSame, state.failed?.isTold == true, !isAsked { return .unchanged }
                let isTold = isSame || isAsked
                state.failed = (stamps, reason, isTold)
                if isTold { state.failures += 1 }
                return isTold ? .kept(because: reason) : .unchanged
            }
        }
    }

    private static func describe(_ material: Material, _ settings: TLSSettings) -> String {
        var parts: [String] = []
        if let leaf = material.leaf, let file = settings.certificateFile {
            parts.append("certificate \(leaf.subject) of \(file), valid until \(Moment.text(leaf.notAfter))")
        }
        if let file = settings.trustedCAFile { parts.append("authorities of \(file)") }
        if let file = settings.revocationFile { parts.append("revocations of \(file)") }
        return parts.joined(separator: "; ")
    }

    private static func stamps(_ settings: TLSSettings) -> [SecretFile.Stamp?] {
        [settings.certificateFile, settings.keyFile, settings.trustedCAFile, settings.revocationFile]
            .compactMap { $0 }.map(SecretFile.stamp)
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
