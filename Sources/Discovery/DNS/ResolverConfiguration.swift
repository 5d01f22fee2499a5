import Foundation

/// What `/etc/resolv.conf` says (resolv.conf(5)); what it does not say is as there.
struct ResolverConfiguration: Equatable, Sendable {
    struct Server: Equatable, Sendable {
        /// An address, as text.
        var address: String
        var port: UInt16 = 53
    }

    var servers: [Server] = []
    var search: [String] = []
    var dotsMin = 1
    /// For one question to one server.
    var timeoutSeconds = 5
    var attempts = 2

    private static let path = "/etc/resolv.conf"
    private static let serversMax = 3
    private static let searchMax = 6

    init() {}

    init(parsing text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let plain = line.prefix { $0 != "#" && $0 != ";" }
            let words = plain.split { $0 == " " || $0 == "\t" }.map(String.init)
            guard let keyword = words.first, words.count > 1 else { continue }
            switch keyword {
            case "nameserver": if servers.count < Self.serversMax { servers.append(Server(address: words[1])) }
            case "domain": search = [words[1]]
            case "search": search = Array(words.dropFirst().prefix(Self.searchMax))
            case "options": for word in words.dropFirst() { note(option: word) }
            default: break
            }
        }
        if servers.isEmpty { servers = [Server(address: "127.0.0.1")] }
    }

    /// As the system has it now.
    static var system: ResolverConfiguration {
        // Without a file the resolver of this computer is asked.
        let data = FileManager.default.contents(atPath: path) ?? Data()
        return ResolverConfiguration(parsing: String(decoding: data.prefix(64 << 10), as: UTF8.self))
    }

    private mutating func note(option: String) {
        func number(_ name: String, _ range: ClosedRange<Int>) -> Int? {
            guard option.hasPrefix(name), let value = Int(option.dropFirst(name.count)) else { return nil }
            return min(max(value, range.lowerBound), range.upperBound)
        }
        if let value = number("timeout:", 1...30) { timeoutSeconds = value }
        if let value = number("attempts:", 1...5) { attempts = value }
        if let value = number("ndots:", 0...15) { dotsMin = value }
    }

    /// The names to ask for, in order: with enough dots first as it is, else last.
    func candidates(_ name: String) -> [String] {
        if name.hasSuffix(".") { return [String(name.dropLast())] }
        let suffixed = search.map { suffix in name + "." + (suffix.hasSuffix(".") ? suffix.dropLast() : suffix[...]) }
        return name.count(where: { $0 == "." }) >= dotsMin ? [name] + suffixed : suffixed + [name]
    }
}
