import Access
import Keyspace
import TestSupport
import Testing

/// Who sends a request, and the rights that were set up for him.
private enum Actor: String, CaseIterable {
    case guest, wrongPassword, unknownUser, notBasic, none, exact, prefix, root

    var fields: String {
        let value =
            switch self {
            case .guest: ""
            case .notBasic: "Bearer x"
            case .wrongPassword: "Basic cHJlZml4OmJhZA=="  // prefix:bad
            case .unknownUser: "Basic bm9ib2R5OnB3"  // nobody:pw
            case .none: "Basic bm9uZTpwdw=="  // none:pw
            case .exact: "basic ZXhhY3Q6cHc="  // exact:pw
            case .prefix: "Basic cHJlZml4OnB3"  // prefix:pw
            case .root: "Basic cm9vdDpwdw=="  // root:pw
            }
        return value.isEmpty ? "" : "Authorization: \(value)\r\n"
    }

    /// v2-keys.md §16, Rules, in words of its own: what the product computes is not asked.
    func mayTouch(_ key: String, recursive: Bool) -> Bool {
        switch self {
        case .root: true
        case .guest: key.hasPrefix("/pub/")  // whatever `recursive` says
        case .exact: key == "/own/key" && !recursive
        case .prefix: key.hasPrefix("/own/")
        case .none, .wrongPassword, .unknownUser, .notBasic: false
        }
    }
}

@Suite("Authentication and rights (v2-keys.md §16)")
struct AccessTests {
    private let server: APIServer

    init() throws {
        server = try APIServer()
        try put("users/root", #"{"user":"root","password":"pw"}"#, 201)
        for (name, patterns) in [("none", #""#), ("exact", #""/own/key""#), ("prefix", #""/own/*""#)] {
            let permissions = #"{"kv":{"read":[\#(patterns)],"write":[\#(patterns)]}}"#
            try put("roles/\(name)", #"{"role":"\#(name)","permissions":\#(permissions)}"#, 201)
            try put("users/\(name)", #"{"user":"\#(name)","password":"pw","roles":["\#(name)"]}"#, 200)
        }
        try put("roles/guest", #"{"role":"guest","permissions":{"kv":{"read":["/pub/*"],"write":["/pub/*"]}}}"#, 201)
        for path in ["/own/key", "/own/_h/k", "/pub/a", "/other/key"] { _ = try server.ask("PUT", "/v2/keys\(path)", form: "value=1") }
        try put("enable", "", 200)
    }

    private func put(_ path: String, _ body: String, _ status: Int, as actor: Actor = .root) throws {
        let client = try server.client()
        client.send(
            "PUT /v2/auth/\(path) HTTP/1.1\r\nHost: x\r\n\(actor.fields)Content-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        let answer = try client.answer()
        #expect(answer.status == status, "\(path): \(answer)")
    }

    @Test("Every verb on every kind of key is allowed or refused as the rules say")
    func keys() throws {
        var counts = (allowed: 0, refused: 0)
        for actor in Actor.allCases {
            for key in ["/own/key", "/own/key/", "/own", "/own/", "/own/_h/k", "/ownership", "/other/key", "/pub/a", "/pub", "/", ""] {
                for recursive in [false, true] {
                    for (verb, more) in [
                        ("GET", ""), ("GET", "&quorum=true"), ("HEAD", ""), ("PUT", "&prevExist=true&prevIndex=999"), ("POST", "&dir=no"),
                        ("POST", ""), ("DELETE", "&prevIndex=999"),
                    ] {
                        let answer = try server.ask(
                            verb, "/v2/keys\(key)?recursive=\(recursive)\(more)", form: verb == "PUT" || verb == "POST" ? "value=1" : nil,
                            fields: actor.fields)
                        let note = "\(actor) \(verb) '\(key)' recursive=\(recursive)\(more): \(answer)"
                        // What is wrong with the parameters is said first, to anybody.
                        if more == "&dir=no" {
                            #expect(answer.status == 400, "\(note)")
                        } else if actor.mayTouch(key, recursive: recursive) {
                            counts.allowed += 1
                            #expect(answer.status != 401, "\(note)")
                        } else {
                            counts.refused += 1
                            #expect(answer.status == 401 && answer.contains("X-Etcd-Index: 0") && answer.contains("X-Etcd-Cluster-Id:"), "\(note)")
                            if verb != "HEAD" { #expect(answer.body.hasPrefix(#"{"errorCode":110,"message":"The request requires user"#), "\(note)") }
                        }
                    }
                }
            }
        }
        #expect(counts.allowed > 150 && counts.refused > 600, "\(counts)")
    }

    @Test("A watch needs the right to read what it watches", arguments: [("/own/key", false), ("/own", true), ("/own/", true), ("/pub/a", false)])
    func watches(key: String, recursive: Bool) throws {
        for actor in Actor.allCases {
            let client = try server.client()
            client.send("GET /v2/keys\(key)?wait=true&recursive=\(recursive) HTTP/1.1\r\nHost: x\r\n\(actor.fields)\r\n")
            let head = try client.take(through: "\r\n\r\n")
            #expect(head.hasPrefix(actor.mayTouch(key, recursive: recursive) ? "HTTP/1.1 200" : "HTTP/1.1 401"), "\(actor) \(key)")
        }
    }

    /// True: only root. The others are open to all.
    private static let endpoints: [(verb: String, path: String, isRootOnly: Bool)] = [
        ("GET", "/v2/auth/enable", false), ("PUT", "/v2/auth/enable", true), ("DELETE", "/v2/auth/enable", true),
        ("GET", "/v2/auth/users", true), ("GET", "/v2/auth/users/", true), ("GET", "/v2/auth/users/none", true),
        ("PUT", "/v2/auth/users/none", true), ("DELETE", "/v2/auth/users/nobody", true),
        ("GET", "/v2/auth/roles", true), ("GET", "/v2/auth/roles/none", true), ("PUT", "/v2/auth/roles/none", true),
        ("DELETE", "/v2/auth/roles/nothing", true),
        ("GET", "/v2/members", false), ("GET", "/v2/members/leader", false), ("POST", "/v2/members", true),
        ("PUT", "/v2/members/1", true), ("DELETE", "/v2/members/1", true),
        ("GET", "/v2/machines", false), ("GET", "/v2/stats/self", false), ("GET", "/v2/stats/store", false),
        ("GET", "/v2/stats/leader", false), ("GET", "/v2/leader", false), ("GET", "/version", false), ("GET", "/health", false),
        ("GET", "/metrics", false), ("GET", "/debug/vars", false), ("PUT", "/config/local/log", true), ("GET", "/etclite/backup", true),
    ]

    @Test("Every other endpoint is open to all or to the role root alone")
    func others() throws {
        for actor in Actor.allCases {
            // Taking authentication away is not for the middle of this.
            for one in Self.endpoints where actor != .root || one.path != "/v2/auth/enable" || one.verb != "DELETE" {
                let answer = try server.ask(one.verb, one.path, form: one.verb == "PUT" || one.verb == "POST" ? "" : nil, fields: actor.fields)
                let note = "\(actor) \(one.verb) \(one.path): \(answer)"
                if one.isRootOnly, actor != .root {
                    #expect(answer.status == 401 && answer.body == #"{"message":"Insufficient credentials"}"#, "\(note)")
                    #expect(!answer.contains("X-Etcd-Cluster-Id"), "\(note)")
                } else {
                    #expect(answer.status != 401, "\(note)")
                }
            }
        }
    }

    /// The status, on a connection that is kept.
    private func read(_ key: String, as actor: Actor, on client: RawClient) throws -> Int {
        client.send("GET /v2/keys\(key) HTTP/1.1\r\nHost: x\r\n\(actor.fields)\r\n")
        return try client.answer().status
    }

    @Test("A connection that sends the same again is who it was, until the user, the rights or what it sends changes")
    func remembered() throws {
        let client = try server.client()
        for _ in 1...3 {
            #expect(try read("/own/key", as: .prefix, on: client) == 200)
            #expect(try read("/other/key", as: .prefix, on: client) == 401)
        }
        for _ in 1...2 { #expect(try read("/own/key", as: .wrongPassword, on: client) == 401) }
        for _ in 1...2 { #expect(try read("/own/key", as: .guest, on: client) == 401 && read("/pub/a", as: .guest, on: client) == 200) }
        #expect(try read("/other/key", as: .root, on: client) == 200 && read("/own/key", as: .prefix, on: client) == 200)
        try put("users/prefix", #"{"user":"prefix","password":"new"}"#, 200)
        #expect(try read("/own/key", as: .prefix, on: client) == 401, "the old password")
        try put("users/prefix", #"{"user":"prefix","password":"pw"}"#, 200)
        #expect(try read("/own/key", as: .prefix, on: client) == 200)
        try put("roles/prefix", #"{"role":"prefix","revoke":{"kv":{"read":["/own/*"]}}}"#, 200)
        #expect(try read("/own/key", as: .prefix, on: client) == 401, "the right was taken")
        let delete = try server.ask("DELETE", "/v2/auth/users/exact", fields: Actor.root.fields)
        #expect(delete.status == 200)
        #expect(try read("/own/key", as: .exact, on: client) == 401)
    }

    @Test("While it is off everything is open, whatever is sent along")
    func off() throws {
        _ = try server.ask("DELETE", "/v2/auth/enable", fields: Actor.root.fields)
        for actor in Actor.allCases {
            #expect(try server.ask("PUT", "/v2/keys/other/key", form: "value=2", fields: actor.fields).status == 200, "\(actor)")
            #expect(try server.ask("GET", "/v2/auth/users", fields: actor.fields).status == 200, "\(actor)")
        }
    }

    @Test("The change is recorded with its user")
    func isRecorded() throws {
        _ = try server.ask("PUT", "/v2/keys/own/key", form: "value=2", fields: Actor.prefix.fields)
        _ = try server.ask("PUT", "/v2/keys/pub/a", form: "value=2")
        let clients = try server.onLoop { $0.clients.suffix(2).map { Requester($0) } }
        #expect(clients.map(\.user) == [Array("prefix".utf8), nil])
        #expect(clients.allSatisfy { $0.address.starts(with: Array("127.0.0.1:".utf8)) })
    }

    private func stream(as actor: Actor) throws -> RawClient {
        let client = try server.client()
        client.send("GET /v2/keys/own/?wait=true&stream=true&recursive=true HTTP/1.1\r\nHost: x\r\n\(actor.fields)\r\n")
        #expect(try client.take(through: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
        return client
    }

    @Test("A watch ends when its right is taken, its user is removed or gets another password; others go on")
    func revoked() throws {
        let root = try stream(as: .root)
        for (path, body) in [
            ("roles/prefix", #"{"role":"prefix","revoke":{"kv":{"read":["/own/*"]}}}"#), ("users/prefix", #"{"user":"prefix","password":"new"}"#),
        ] {
            let client = try stream(as: .prefix)
            try put(path, body, 200)
            #expect(try client.take(through: "0\r\n\r\n") == "0\r\n\r\n", "\(path)")
            if path == "roles/prefix" { try put(path, #"{"role":"prefix","grant":{"kv":{"read":["/own/*"]}}}"#, 200) }
        }
        #expect(try server.ask("GET", "/v2/keys/own/key", fields: Actor.prefix.fields).status == 401, "the old password")
        #expect(try server.onLoop { $0.watcherCount } == 1)
        _ = try server.ask("PUT", "/v2/keys/own/key", form: "value=3", fields: Actor.root.fields)
        #expect(try root.take(through: "\n").isEmpty == false)
    }

    @Test("A watch that was opened before authentication was on ends when guests may not watch it")
    func openedBefore() throws {
        _ = try server.ask("DELETE", "/v2/auth/enable", fields: Actor.root.fields)
        let client = try stream(as: .guest)
        try put("enable", "", 200)
        #expect(try client.take(through: "0\r\n\r\n") == "0\r\n\r\n")
    }

    @Test("Passwords are stored as hashes, each with its own salt")
    func hashes() throws {
        let stored = try server.onLoop { $0.access.users.map { String(decoding: $0.password, as: UTF8.self) } }
        #expect(stored.count == 4 && Set(stored).count == 4)
        #expect(stored.allSatisfy { $0.hasPrefix("$scrypt$ln=14,r=8,p=1$") && !$0.contains("pw") })
    }

    @Test("More path below a name is wrong whoever asks, and whatever the verb", arguments: ["GET", "POST", "PUT", "DELETE"])
    func invalidPath(verb: String) throws {
        let answer = try server.ask(verb, "/v2/auth/users/a/b", form: verb == "GET" ? nil : "")
        #expect(answer.status == 400 && answer.body == #"{"message":"Invalid path"}"#)
    }
}
