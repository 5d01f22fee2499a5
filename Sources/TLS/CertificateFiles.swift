/// The files of one policy, in parts that are good or bad by themselves: what is good is taken, whatever is wrong with the rest.
struct CertificateFiles: Sendable {
    private let settings: TLSSettings
    /// Nil without a certificate.
    private var ownPart: FilePart<Identity?>
    private var authorityPart: FilePart<Authorities>
    private var revocationPart: FilePart<RevocationList?>

    var identity: Identity? { ownPart.value }
    var authorities: Authorities { authorityPart.value }
    /// Nil without a list.
    var revocations: RevocationList? { revocationPart.value }

    /// - Throws: for the first file that is of no use, one sentence that names it.
    init(_ settings: TLSSettings) throws(TLSFailure) {
        self.settings = settings
        if let file = settings.trustedCAFile {
            authorityPart = try FilePart([file]) { () throws(TLSFailure) in try Authorities(file: file) }
        } else {
            authorityPart = FilePart(always: .system)
        }
        let authorities = authorityPart.value
        if let file = settings.revocationFile {
            revocationPart = try FilePart([file]) { () throws(TLSFailure) in try RevocationList(file: file, authorities) }
        } else {
            revocationPart = FilePart(always: nil)
        }
        if let (certificate, key) = settings.pair {
            ownPart = try FilePart([certificate, key]) { () throws(TLSFailure) in try Identity(certificate, key) }
        } else {
            ownPart = FilePart(always: nil)
        }
    }

    /// Reads what has changed, or all of it when that is asked for.
    mutating func look(isAsked: Bool) -> TLSPolicy.Outcome {
        var outcome = TLSPolicy.Outcome.unchanged
        if let (certificate, key) = settings.pair {
            let own = ownPart.look(isAsked: isAsked) { () throws(TLSFailure) in
                let identity = try Identity(certificate, key)
                // With it no connection would succeed; the one before may still be good.
                if let problem = identity.leaf.dateProblem(at: Moment.now()) { throw TLSFailure("\(certificate): \(problem)") }
                return identity
            }
            outcome.note(own, Self.describe(identity?.leaf, certificate))
        }
        var isNew = false
        if let file = settings.trustedCAFile {
            let trusted = authorityPart.look(isAsked: isAsked) { () throws(TLSFailure) in try Authorities(file: file) }
            if case .taken = trusted { isNew = true }
            outcome.note(trusted, "authorities of \(file)")
        }
        if let file = settings.revocationFile {
            // Authorities sign the lists.
            let authorities = authorities
            let revoked = revocationPart.look(isAsked: isAsked || isNew) { () throws(TLSFailure) in try RevocationList(file: file, authorities) }
            outcome.note(revoked, "revocations of \(file)")
        }
        return outcome
    }

    private static func describe(_ leaf: CertificateFacts?, _ file: String) -> String {
        leaf.map { "certificate \($0.subject) of \(file), valid until \(Moment.text($0.notAfter))" } ?? file
    }
}

extension TLSPolicy.Outcome {
    fileprivate mutating func note(_ look: FileLook, _ what: @autoclosure () -> String) {
        switch look {
        case .unchanged: return
        case .taken: renewed = (renewed.map { $0 + "; " } ?? "") + what()
        case .refused(let reason): kept = (kept.map { $0 + "; " } ?? "") + reason
        }
    }
}
