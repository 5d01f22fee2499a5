import Glibc
import Wire

/// A URL to listen on or to advertise: scheme, host and port, or the path of a Unix socket; nothing else
/// (server.md §3).
///
/// Two of them are equal when they lead to the same place, however they are spelt.
package struct EndpointURL: Sendable {
    package enum Scheme: String, Sendable {
        case http, https, unix, unixs

        package var isEncrypted: Bool { self == .https || self == .unixs }
        package var isSocketFile: Bool { self == .unix || self == .unixs }
    }

    package let scheme: Scheme
    /// A name or an address, IPv6 without brackets. Empty for `http://:2379` and for socket paths.
    package let host: String
    /// 0 asks the system for a free port. Also 0 for socket paths.
    package let port: UInt16
    /// As given, with the scheme in lower case: member identities are computed from it (cluster.md §2).
    package let text: String

    /// The file of a Unix socket: `unix://name:1` is `name:1` in the working directory, as in etcd;
    /// `unix:///run/x` is `/run/x`, which etcd has no way to say.
    package var socketPath: String? {
        scheme.isSocketFile ? String(text.dropFirst(scheme.rawValue.count + 3)) : nil
    }

    /// `host:port` as it appears in log lines and messages.
    package var hostAndPort: String { String(text.dropFirst(scheme.rawValue.count + 3)) }

    /// Whether a listener can bind to it without asking a name server.
    var isBindable: Bool { scheme.isSocketFile || host == "localhost" || Self.isAddress(host) }

    static func isAddress(_ host: String) -> Bool {
        var scratch = in6_addr()
        return inet_pton(AF_INET, host, &scratch) == 1 || inet_pton(AF_INET6, host, &scratch) == 1
    }
}

extension EndpointURL: Hashable {
    /// Without asking a name server.
    var canonical: String { HostSpelling.canonical(url: text) }

    package static func == (left: EndpointURL, right: EndpointURL) -> Bool { left.canonical == right.canonical }

    package func hash(into hasher: inout Hasher) { hasher.combine(canonical) }
}

/// Why a text is not an `EndpointURL`; `text` is etcd's sentence.
struct URLProblem: Error, Equatable {
    let text: String
}

extension EndpointURL {
    /// Comma separated URLs, sorted, each once; blanks around items do not count. Empty text is no URL.
    static func list(_ text: String) throws(URLProblem) -> [EndpointURL] {
        guard !text.isEmpty else { return [] }
        var urls: [EndpointURL] = []
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let url = try EndpointURL(parsing: item)
            if !urls.contains(url) { urls.append(url) }
        }
        return urls.sorted { $0.text < $1.text }
    }

    init(parsing source: some StringProtocol) throws(URLProblem) {
        let text = Blanks.trimmed(source)
        if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw URLProblem(text: "parse \(Quoted.go(text)): net/url: invalid control character in URL")
        }
        let (schemeText, rest) = try Self.splitScheme(text)
        guard let scheme = Scheme(rawValue: schemeText) else {
            throw URLProblem(text: "URL scheme must be http, https, unix, or unixs: \(text)")
        }
        let formProblem = URLProblem(text: "URL address does not have the form \"host:port\": \(text)")
        guard rest.hasPrefix("//") else { throw formProblem }
        let afterSlashes = rest.dropFirst(2)
        if scheme.isSocketFile, afterSlashes.hasPrefix("/"), afterSlashes.count > 1 {
            (self.scheme, host, port, self.text) = (scheme, "", 0, "\(scheme.rawValue)://\(afterSlashes)")
            return
        }
        let authority = afterSlashes.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let tail = afterSlashes.dropFirst(authority.count)
        guard let parsed = HostAndPort(authority) else {
            throw URLProblem(text: "parse \(Quoted.go(text)): invalid character or port in host name")
        }
        guard let portText = parsed.portText, !portText.isEmpty else { throw formProblem }
        guard let port = parsed.port else {
            throw URLProblem(text: "parse \(Quoted.go(text)): invalid port \(Quoted.go(":" + portText)) after host")
        }
        guard tail.isEmpty else {
            throw URLProblem(text: "URL must not contain a path: \(text)")
        }
        (self.scheme, host, self.port, self.text) = (scheme, parsed.host, port, "\(scheme.rawValue)://\(authority)")
    }

    /// Go's rules for the part before the colon: a text that starts with a digit has no scheme.
    private static func splitScheme(_ text: String) throws(URLProblem) -> (String, Substring) {
        let isSchemeByte = { (character: Character) in
            character.isASCII && (character.isLetter || character.isNumber || "+-.".contains(character))
        }
        let candidate = text.prefix(while: isSchemeByte)
        let rest = text.dropFirst(candidate.count)
        if rest.hasPrefix(":"), let first = candidate.first, first.isLetter {
            return (candidate.lowercased(), rest.dropFirst())
        }
        if text.hasPrefix(":") {
            throw URLProblem(text: "parse \(Quoted.go(text)): missing protocol scheme")
        }
        if !text.hasPrefix("/"), text.prefix(while: { $0 != "/" }).contains(":") {
            throw URLProblem(text: "parse \(Quoted.go(text)): first path segment in URL cannot contain colon")
        }
        return ("", text[...])
    }
}
