/// Who asked for a change, as the entry's `client` tells it: `127.0.0.1:4711`, with a user before it `alice@127.0.0.1:4711`. A client on a
/// unix socket has the address `@`.
package struct Requester: Equatable, Sendable {
    /// The name that was authenticated; nil: none was given, or names did not count.
    package var user: [UInt8]?
    package var address: [UInt8]

    private static let at = UInt8(ascii: "@")

    package init(user: [UInt8]?, address: [UInt8]) {
        self.user = user
        self.address = address
    }

    /// Names may hold an at sign, addresses do not: what is behind the last one is the address.
    package init(_ client: [UInt8]) {
        if client.last == Requester.at {
            self.init(user: client.count > 2 ? Array(client.dropLast(2)) : nil, address: [Requester.at])
        } else if let sign = client.lastIndex(of: Requester.at) {
            self.init(user: Array(client[..<sign]), address: Array(client[(sign + 1)...]))
        } else {
            self.init(user: nil, address: client)
        }
    }

    package var client: [UInt8] { user.map { $0 + [Requester.at] + address } ?? address }
}
