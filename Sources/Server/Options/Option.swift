/// One flag of the server: how it is written, what it means and how far this version honours it.
struct Option: Sendable {
    /// The grammar of a value; each mirrors the Go flag type etcd uses, so that the same texts are accepted.
    enum Kind: Equatable, Sendable {
        case text
        case path
        case boolean
        case unsigned(UnsignedType)
        case signed
        case duration
        /// Comma separated `scheme://host:port`.
        case urls
        /// `*`, or comma separated URLs (`--cors`).
        case origins
        /// Comma separated words on the command line, a YAML list in a config file.
        case list
        case choice([String])
        /// `host:port` of etcd 0.4.6.
        case address
        /// `host` or `host:port` of etcd 0.4.6.
        case bindAddress
    }

    /// Named as in etcd's configuration type: the name appears in its messages about config files.
    enum UnsignedType: String, Sendable {
        case uint, uint32, uint64
    }

    enum Support: Equatable, Sendable {
        case honoured
        /// Accepted for compatibility. A value other than the default is reported as without effect.
        case inert
        /// Belongs to a later version. A value other than the default stops the start: serving without
        /// what was asked for (TLS, say) would be worse than not serving.
        case refused
        /// Honoured when a cluster is founded or joined; a data directory that already holds a member wins over every bootstrap flag
        /// (server.md §3.2).
        case honouredAtFounding
        /// A flag of etcd 0.4.6 that later generations ignore with a warning (server.md §2.6).
        case retired
    }

    enum Group: String, CaseIterable, Sendable {
        case member = "Member"
        case clustering = "Clustering"
        case limits = "Limits"
        case security = "Security"
        case logging = "Logging and monitoring"
        case proxy = "v2 proxy"
        case experimental = "Experimental and unsafe"
        case legacy = "Flags of etcd 0.4.6"
    }

    let name: String
    let kind: Kind
    /// As it would be written on the command line; empty for none.
    let standard: String
    let support: Support
    let group: Group
    let help: String

    init(
        _ name: String, _ kind: Kind, _ standard: String, _ support: Support = .honoured, in group: Group,
        _ help: String
    ) {
        self.name = name
        self.kind = kind
        self.standard = standard
        self.support = support
        self.group = group
        self.help = help
    }

    /// The environment variable that sets this option (server.md §1.2).
    var variable: String { "ETCD_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined() }

    /// Whether `text` asks for something else than leaving the option out does.
    func departs(from text: String) -> Bool {
        switch kind {
        case .boolean:
            OptionValue.boolean(text) != OptionValue.boolean(standard)
        default:
            text != standard && !(text.isEmpty)
        }
    }
}
