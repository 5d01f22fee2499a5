import ClientAPI
import HTTPTransport
import Keyspace
import TestSupport
import Testing

@Suite("Before the member may serve")
struct NotReadyTests {
    private static let form = "value=1&prevExist=false&ttl=60"

    private func server(milliseconds: Int = 7000) throws -> APIServer {
        var configuration = ClientAPIConfiguration()
        configuration.requestTimeoutMilliseconds = milliseconds
        return try APIServer(configuration, isReady: false)
    }

    @Test("Probes are answered, health with the reason")
    func probes() throws {
        let server = try server()
        #expect(try server.ask("GET", "/health").body == "{\"health\":\"false\",\"reason\":\"NOT READY, STARTING\"}\n")
        #expect(try server.ask("GET", "/health").status == 503)
        #expect(try server.ask("GET", "/version").body.contains("not_decided"))
        #expect(try server.ask("GET", "/metrics").contains("etcd_server_has_leader 0\n"))
        #expect(try server.ask("GET", "/debug/vars").status == 200)
        #expect(try server.ask("GET", "/nothing").status == 404)
        #expect(try server.ask("OPTIONS", "/v2/keys/a").status == 200)
        try server.atDoor { door, replica in
            replica.leader = 0
            door.show(replica)
        }
        #expect(try server.ask("GET", "/health").body.contains("NOT READY, NO LEADER"))
        #expect(try server.ask("GET", "/metrics").contains("etcd_server_has_leader 0\n"))
    }

    @Test("Requests wait, and are served in the order of their arrival")
    func waiting() throws {
        let server = try server()
        let clients = try (1...3).map { _ in try server.client() }
        for (number, client) in clients.enumerated() {
            client.send(APIServer.request("PUT", "/v2/keys/a", form: "value=\(number)"))
            // Each arrives before the next.
            #expect(try server.ask("GET", "/version").status == 200)
        }
        try server.atDoor { door, replica in door.open(replica) }
        for client in clients { #expect(try client.answer().status < 300) }
        #expect(try server.ask("GET", "/v2/keys/a").contains("\"value\":\"2\""))
    }

    @Test("For as long as a request may take, counted from their arrival", arguments: ["/v2/keys/a", "/v2/members"])
    func timeout(path: String) throws {
        let server = try server(milliseconds: 200)
        let answer = try server.ask("GET", path)
        #expect(answer.contains("etcdserver: request timed out"))
        #expect(answer.status == (path == "/v2/members" ? 503 : 500))
        try server.atDoor { door, replica in door.open(replica) }
        #expect(try server.ask("GET", "/v2/keys").status == 200)
    }

    @Test("Nothing is done for a client that has left", arguments: [true, false])
    func gone(isHalf: Bool) throws {
        let server = try server()
        for number in 1...20 {
            let client = try server.client()
            client.send(APIServer.request("PUT", "/v2/keys/lock\(number)", form: Self.form))
            #expect(try server.ask("GET", "/version").status == 200)
            guard isHalf else { continue }
            client.endOutput()
            #expect(try client.takeAll().contains("\"errorCode\":300"))
        }
        let last = try server.client()
        last.send(APIServer.request("PUT", "/v2/keys/here", form: Self.form))
        // All that was closed before has been seen by then.
        #expect(try server.ask("GET", "/version").status == 200)
        try server.atDoor { door, replica in door.open(replica) }
        #expect(try last.answer().status == 201)
        let listing = try server.ask("GET", "/v2/keys")
        #expect(listing.contains("\"/here\""))
        #expect(!listing.contains("lock"), "\(listing)")
    }

    @Test("No more wait than there is room for; the next is told at once")
    func crowd() throws {
        var configuration = ClientAPIConfiguration()
        configuration.heldRequestsMax = 8
        let server = try APIServer(configuration, isReady: false)
        let clients = try (0..<8).map { _ in
            let client = try server.client()
            client.send("GET /v2/keys/a HTTP/1.1\r\nHost: x\r\n\r\n")
            return client
        }
        #expect(try server.eventuallyAtListener { $0.requestsTotal == 8 })
        #expect(try server.ask("GET", "/v2/keys/a").contains("too many requests"))
        try server.atDoor { door, replica in door.open(replica) }
        for client in clients { #expect(try client.answer().status == 404) }
    }

    @Test("Nor more bytes")
    func bytes() throws {
        let server = try server()
        let form = "value=" + String(repeating: "a", count: 9_000_000)
        let first = try server.client()
        first.send(APIServer.request("PUT", "/v2/keys/a", form: form))
        #expect(try server.eventuallyAtListener { $0.requestsTotal == 1 })
        #expect(try server.ask("PUT", "/v2/keys/b", form: form).contains("too many requests"))
        #expect(try server.ask("GET", "/version").status == 200)
    }
}
