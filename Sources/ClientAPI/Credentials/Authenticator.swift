import Access
import Crypto
import HTTPTransport
import NIOCore
import ReplicaHost
import Synchronization

/// From the `Authorization` of a request, or the client's certificate, to a user (v2-keys.md §16).
///
/// A password that was found right is remembered, in a form that gives nothing away, until the user's changes; so is one that was found wrong, for
/// a client that tries the same again and again. Confined to the replica's loop.
final class Authenticator {
    enum Verdict {
        /// No user was named.
        case guest
        case user(AccessName)
        /// Not a known user with the right password, or not Basic at all.
        case refused
        /// Too many passwords wait to be looked at.
        case busy
    }

    /// What a field was found to say, and the hash that was looked at: when the user's is another, it must be looked at again.
    private struct Finding {
        let user: AccessName
        let hash: AccessName
        let isRight: Bool
    }

    /// What a connection has sent last, and what that is worth as long as no user changes. Most clients send the same again and again: they cost a
    /// comparison, and no hash. The connection has the field in its buffer in any case.
    private final class Remembered {
        let field: [UInt8]
        let version: UInt64
        let verdict: Verdict

        init(_ field: [UInt8], _ version: UInt64, _ verdict: Verdict) {
            self.field = field
            self.version = version
            self.verdict = verdict
        }
    }

    private let replica: any ReplicaDoor
    private let desk: PasswordDesk
    /// Of this process only: what is remembered is worth nothing to anybody else.
    private let secret = SymmetricKey(size: .bits256)
    private var findings: [Data32: Finding] = [:]
    private var waiting: [Data32: [(Verdict) -> Void]] = [:]
    /// Whoever names a user that does not exist waits as long as for a wrong password.
    private let nobody: AccessName = Array("$scrypt$ln=14,r=8,p=1$00000000000000000000000000000000$00".utf8)

    private static let findingsMax = 4096
    /// Of a field that a connection remembers.
    private static let rememberedBytesMax = 512

    init(replica: any ReplicaDoor, loop: any EventLoop) {
        self.replica = replica
        desk = PasswordDesk(loop: loop)
    }

    /// When the connection has asked the same before.
    func remembered(_ request: HTTPRequest, on exchange: HTTPExchange) -> Verdict? {
        guard let memory = exchange.memory as? Remembered, memory.version == replica.accessVersion,
            request.has(.authorization, memory.field)
        else { return nil }
        return memory.verdict
    }

    /// `then` is called once: before this returns, when the answer is known already.
    func authenticate(_ request: HTTPRequest, on exchange: HTTPExchange, then answer: @escaping (Verdict) -> Void) {
        guard let field = request.bytes(of: .authorization), !field.isEmpty else { return answer(shown(request)) }
        if let verdict = remembered(request, on: exchange) { return answer(verdict) }
        let then = { [replica] (verdict: Verdict) in
            switch verdict {
            case .user, .refused:
                if field.count <= Authenticator.rememberedBytesMax { exchange.memory = Remembered(field, replica.accessVersion, verdict) }
            case .guest, .busy: break
            }
            answer(verdict)
        }
        let mark = Data32(HMAC<SHA256>.authenticationCode(for: field, using: secret))
        if let verdict = known(mark) { return then(verdict) }
        guard let credentials = BasicCredentials(field) else { return then(.refused) }
        if waiting[mark] != nil {
            waiting[mark]?.append(then)
            return
        }
        let user = replica.access.user(credentials.user)
        let hash = user?.password ?? nobody
        let password = credentials.password
        waiting[mark] = [then]
        let isTaken = desk.submit(from: request.remoteAddress) {
            PasswordHash.matches(password, hash)
        } done: { [weak self] isRight in
            self?.learn(mark, Finding(user: credentials.user, hash: hash, isRight: isRight && user != nil))
        }
        if !isTaken {
            waiting[mark] = nil
            then(.busy)
        }
    }

    /// The user whom the client's certificate names; it counts when no password is sent, and one that names nobody is no credential at all.
    private func shown(_ request: HTTPRequest) -> Verdict {
        guard !request.commonName.isEmpty, replica.access.user(request.commonName) != nil else { return .guest }
        return .user(request.commonName)
    }

    /// Hashes a password that is to be kept. `then` is told nil when too many wait.
    func hash(_ password: [UInt8], from address: [UInt8], then: @escaping ([UInt8]?) -> Void) {
        let box = HashBox()
        let isTaken = desk.submit(from: address) {
            // Fails only without memory for it; whoever asked is told to come again.
            let hash = try? PasswordHash.make(password)
            box.hash.withLock { $0 = hash }
            return true
        } done: { _ in
            then(box.hash.withLock { $0 })
        }
        if !isTaken { then(nil) }
    }

    private func known(_ mark: Data32) -> Verdict? {
        guard let finding = findings[mark] else { return nil }
        guard (replica.access.user(finding.user)?.password ?? nobody) == finding.hash else {
            findings[mark] = nil
            return nil
        }
        return finding.isRight ? .user(finding.user) : .refused
    }

    private func learn(_ mark: Data32, _ finding: Finding) {
        // Whoever is right comes again soon; forgetting all now and then is simpler than knowing who came last.
        if findings.count >= Authenticator.findingsMax { findings = findings.filter { $0.value.isRight } }
        if findings.count >= Authenticator.findingsMax { findings = [:] }
        findings[mark] = finding
        // The user may have changed while the password was looked at.
        let verdict = known(mark) ?? .refused
        for then in waiting.removeValue(forKey: mark) ?? [] { then(verdict) }
    }
}

/// Thirty-two bytes as a key of a table.
private struct Data32: Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(_ mark: HMAC<SHA256>.MAC) {
        words = mark.withUnsafeBytes { bytes in
            func word(_ place: Int) -> UInt64 {
                bytes.count >= (place + 1) * 8 ? bytes.loadUnaligned(fromByteOffset: place * 8, as: UInt64.self) : 0
            }
            return (word(0), word(1), word(2), word(3))
        }
    }

    static func == (left: Data32, right: Data32) -> Bool { left.words == right.words }

    func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// Carries a hash from the thread to the loop.
private final class HashBox: Sendable {
    let hash = Mutex<[UInt8]?>(nil)
}
