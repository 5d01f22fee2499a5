import ClientAPI
import TestSupport
import Testing

@Suite("Clients that leave before they are answered")
struct LeavingTests {
    private static func server(leader: UInt64?) throws -> APIServer {
        let server = try APIServer()
        try server.onLoop { replica in
            replica.held = []
            if let leader { replica.leader = leader }
        }
        return server
    }

    private static func putting(_ key: String, at server: APIServer) throws -> RawClient {
        let client = try server.client()
        client.send(APIServer.request("PUT", "/v2/keys/\(key)", form: "value=1"))
        return client
    }

    @Test("What one asked for that is gone is withdrawn")
    func gone() throws {
        let server = try Self.server(leader: nil)
        let client = try Self.putting("a", at: server)
        #expect(try server.eventually { $0.held?.count == 1 })
        #expect(try server.onLoop { $0.withdrawn.isEmpty })
        client.reset()
        #expect(try server.eventually { $0.withdrawn.count == 1 })
        try server.onLoop { $0.answerHeld() }
        #expect(try server.ask("GET", "/v2/keys/a").status == 404)
    }

    @Test("One that has ended its side gets its answer")
    func half() throws {
        let server = try Self.server(leader: nil)
        let client = try Self.putting("a", at: server)
        #expect(try server.eventually { $0.held?.count == 1 })
        client.endOutput()
        #expect(try server.ask("GET", "/version").status == 200)
        #expect(try server.onLoop { $0.withdrawn.isEmpty })
        try server.onLoop { $0.answerHeld() }
        #expect(try client.takeAll().status == 201)
    }

    @Test("But not while no leader is known: that may be long, and most have left for good")
    func halfWithoutLeader() throws {
        let server = try Self.server(leader: 0)
        let client = try Self.putting("a", at: server)
        #expect(try server.eventually { $0.held?.count == 1 })
        client.endOutput()
        let answer = try client.takeAll()
        #expect(answer.status == 500 && answer.contains("etcdserver: no leader"))
        #expect(try server.onLoop { $0.withdrawn.count } == 1)
        try server.onLoop { $0.answerHeld() }
        #expect(try server.ask("GET", "/v2/keys/a").status == 404)
    }

    @Test("One that was answered has nothing to withdraw")
    func answered() throws {
        let server = try APIServer()
        let client = try Self.putting("a", at: server)
        #expect(try client.answer().status == 201)
        client.reset()
        #expect(try server.ask("GET", "/v2/keys/a").status == 200)
        #expect(try server.onLoop { $0.withdrawn.isEmpty })
    }
}
