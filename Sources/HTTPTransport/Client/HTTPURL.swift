/// Where a request goes: a server's address and the target sent on the request line.
///
/// Understood are `http://host[:port][/path][?query]`, with IPv6 addresses in brackets, and `unix://` followed by
/// the path of a socket, which takes the whole rest of the text: give the target with `with(target:)`. Each also with encryption: `https://`,
/// `unixs://`.
package struct HTTPURL: Equatable, Sendable {
    package enum Address: Equatable, Sendable {
        /// A name or an address without brackets, and a port in 0...65535.
        case host(String, port: Int)
        case unixSocket(path: String)
    }

    /// The text it was made from.
    package let text: String
    package private(set) var address: Address
    package private(set) var isEncrypted: Bool
    /// The server itself, when a proxy at `address` is to make the connection to it.
    private(set) var tunnelled: Address?
    /// What the `Host` header says: the authority as written.
    package let hostHeader: String
    /// Path and query as sent, percent-encoded; empty means `/`.
    package private(set) var target: String

    /// - Throws: `malformedURL` with the words of Go's `net/url`, which etcdctl prints, or `unsupportedScheme`.
    package init(parsing text: String) throws(HTTPClientError) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw .malformedURL(text, reason: "net/url: invalid control character in URL")
        }
        guard let schemeEnd = text.firstRange(of: "://") else {
            throw .malformedURL(text, reason: "missing protocol scheme")
        }
        let scheme = text[..<schemeEnd.lowerBound].lowercased()
        let rest = text[schemeEnd.upperBound...]
        self.text = text
        isEncrypted = scheme == "https" || scheme == "unixs"
        switch scheme {
        case "http", "https":
            let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
            let authority = rest[..<authorityEnd]
            let target = rest[authorityEnd...].prefix { $0 != "#" }
            self.address = try Self.hostAndPort(authority, in: text, standardPort: isEncrypted ? 443 : 80)
            self.hostHeader = String(authority)
            self.target = target.hasPrefix("?") ? "/" + target : String(target)
        case "unix", "unixs":
            guard !rest.isEmpty else { throw .malformedURL(text, reason: "missing path of the socket") }
            self.address = .unixSocket(path: String(rest))
            self.hostHeader = "localhost"
            self.target = ""
        default:
            throw .unsupportedScheme(scheme)
        }
    }

    /// The same server and another target. The caller has percent-encoded it.
    package func with(target: String) -> HTTPURL {
        var copy = self
        copy.target = target
        return copy
    }

    /// The same server, with this behind the target. The caller has percent-encoded it.
    package func appending(_ text: String) -> HTTPURL { with(target: target + text) }

    /// The same request by way of an HTTP proxy: which is told the whole URL (RFC 9112 §3.2.2), or sees nothing of it when it is encrypted.
    ///
    /// - Throws: `malformedURL` where encryption would be needed twice.
    package func through(_ proxy: HTTPURL) throws(HTTPClientError) -> HTTPURL {
        if isEncrypted {
            guard !proxy.isEncrypted else {
                throw .malformedURL(proxy.text, reason: "an https URL is asked by way of an http proxy only")
            }
            var copy = self
            (copy.tunnelled, copy.address) = (address, proxy.address)
            return copy
        }
        var copy = with(target: "\(scheme)://\(hostHeader)\(target)")
        (copy.address, copy.isEncrypted) = (proxy.address, proxy.isEncrypted)
        return copy
    }

    /// `http` or `https`, with which the address can be written again; `unix` or `unixs`.
    package var scheme: String {
        switch address {
        case .host: isEncrypted ? "https" : "http"
        case .unixSocket: isEncrypted ? "unixs" : "unix"
        }
    }

    /// Who the server must prove to be; nil for the file of a socket.
    package var serverName: String? {
        if case .host(let host, _) = tunnelled ?? address { host } else { nil }
    }

    private static func hostAndPort(
        _ authority: Substring, in text: String, standardPort: Int
    ) throws(HTTPClientError) -> Address {
        guard !authority.contains("@") else {
            throw .malformedURL(text, reason: "user information in a URL is not supported")
        }
        let host: Substring
        let portText: Substring
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else {
                throw .malformedURL(text, reason: "missing ']' in host")
            }
            host = authority[authority.index(after: authority.startIndex)..<close]
            portText = authority[authority.index(after: close)...]
        } else {
            let colon = authority.firstIndex(of: ":") ?? authority.endIndex
            host = authority[..<colon]
            portText = authority[colon...]
        }
        guard !host.isEmpty else { throw .malformedURL(text, reason: "no host in request URL") }
        if portText.isEmpty || portText == ":" { return .host(String(host), port: standardPort) }
        guard portText.hasPrefix(":"), portText.dropFirst().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(portText.dropFirst()), port <= 65535
        else {
            throw .malformedURL(text, reason: "invalid port \"\(portText)\" after host")
        }
        return .host(String(host), port: port)
    }
}
