import HTTPTransport
import Keyspace
import TestSupport
import Testing

@Suite("Watches (v2-keys.md §13)")
struct WatchTests {
    private let server: APIServer

    init() throws { server = try APIServer() }

    private func watch(_ target: String, version: String = "1.1") throws -> (client: RawClient, head: String) {
        let client = try server.client()
        client.send("GET /v2/keys\(target) HTTP/\(version)\r\nHost: x\r\n\r\n")
        return (client, try client.take(through: "\r\n\r\n"))
    }

    private func event(_ client: RawClient) throws -> String {
        let size = try client.take(through: "\r\n")
        // CR and LF are one character.
        guard let count = Int(size.dropLast(), radix: 16) else { throw RawClient.Failure(text: "size \(size)") }
        let bytes = try client.take(count + 2)
        return String(decoding: bytes.dropLast(2), as: UTF8.self)
    }

    @Test("Headers come at once, with the index at registration; one event ends it and the connection goes on")
    func longPoll() throws {
        let (client, head) = try watch("/a?wait=true")
        #expect(head.contains("X-Etcd-Index: 3\r\n"))
        #expect(head.contains("Transfer-Encoding: chunked\r\n"))
        #expect(head.contains("X-Raft-Term: 2\r\n"))
        _ = try server.ask("PUT", "/v2/keys/b", form: "value=other")
        _ = try server.ask("PUT", "/v2/keys/a?noValueOnSuccess=true", form: "value=1")
        let line = "{\"action\":\"set\",\"node\":{\"key\":\"/a\",\"value\":\"1\",\"modifiedIndex\":5,\"createdIndex\":5}}\n"
        #expect(try event(client) == line)
        #expect(try client.take(through: "\r\n\r\n") == "0\r\n\r\n")
        client.send(APIServer.request("GET", "/v2/keys/a"))
        #expect(try client.answer().hasPrefix("HTTP/1.1 200"))
        #expect(try server.onLoop { $0.watcherCount } == 0)
    }

    @Test("HTTP/1.0 gets the bare event and the end of the connection")
    func oldVersion() throws {
        let (client, head) = try watch("/a?wait=true", version: "1.0")
        #expect(!head.contains("chunked"))
        _ = try server.ask("PUT", "/v2/keys/a", form: "value=1")
        #expect(try client.takeAll().hasPrefix("{\"action\":\"set\""))
    }

    @Test("A stream goes on, and the removal of its own key comes twice")
    func stream() throws {
        let (client, _) = try watch("/d?wait=true&stream=true&recursive=true")
        _ = try server.ask("PUT", "/v2/keys/d/x", form: "value=1")
        _ = try server.ask("PUT", "/v2/keys/d/_h", form: "value=1")
        _ = try server.ask("DELETE", "/v2/keys/d?recursive=true")
        _ = try server.ask("PUT", "/v2/keys/d", form: "value=2")
        #expect(try event(client).contains("\"key\":\"/d/x\""))
        let removal = try event(client)
        #expect(removal.hasPrefix("{\"action\":\"delete\",\"node\":{\"key\":\"/d\",\"dir\":true,"))
        #expect(try event(client) == removal)
        #expect(try event(client).contains("\"value\":\"2\""))
    }

    @Test("An event of the past comes at once; a stream stays silent after it")
    func past() throws {
        for number in 1...3 { _ = try server.ask("PUT", "/v2/keys/a", form: "value=\(number)") }
        let (client, head) = try watch("/a?wait=true&waitIndex=5")
        #expect(head.contains("X-Etcd-Index: 6\r\n"))
        #expect(try event(client).contains("\"value\":\"2\""))
        let (stream, _) = try watch("/a?wait=true&waitIndex=5&stream=true")
        #expect(try event(stream).contains("\"value\":\"2\""))
        #expect(try server.onLoop { $0.watcherCount } == 0)
    }

    @Test("A history that is gone is error 401")
    func cleared() throws {
        for number in 1...2 { _ = try server.ask("PUT", "/v2/keys/a", form: "value=\(number)") }
        let answer = try server.ask("GET", "/v2/keys/a?wait=true&waitIndex=2")
        #expect(answer.status == 400)
        #expect(
            answer.body == "{\"errorCode\":401,\"message\":\"The event in requested index is outdated and cleared\","
                + "\"cause\":\"the requested history has been cleared [4/2]\",\"index\":5}\n")
        #expect(answer.contains("X-Etcd-Index: 5\n"))
        #expect(!answer.contains("X-Raft-Index"))
    }

    @Test("wait and quorum together do not wait")
    func quorum() throws {
        #expect(try server.ask("GET", "/v2/keys/a?wait=true&quorum=true").status == 404)
    }

    @Test("A watcher that goes away is taken off")
    func goesAway() throws {
        var clients = try (0..<20).map { _ in try watch("/a?wait=true&stream=true").client }
        #expect(try server.onLoop { $0.watcherCount } == 20)
        #expect(try server.ask("GET", "/v2/stats/store").hasSuffix("\"watchers\":20}"))
        clients.removeFirst(12)
        #expect(try server.eventually { $0.watcherCount == 8 })
        clients = []
        #expect(try server.eventually { $0.watcherCount == 0 })
    }

    @Test("One event reaches many watchers, encoded once")
    func many() throws {
        let clients = try (0..<100).map { _ in try watch("/a?wait=true&stream=true").client }
        _ = try server.ask("PUT", "/v2/keys/a", form: "value=x")
        let events = try clients.map { try event($0) }
        #expect(Set(events).count == 1)
    }

    @Test("A watcher that never reads is closed, and writers do not notice")
    func slow() throws {
        let (client, _) = try watch("/big?wait=true&stream=true")
        let form = "value=" + String(repeating: "x", count: 200_000)
        var writes = 0
        while try server.onLoop({ $0.watcherCount }) > 0, writes < 500 {
            #expect(try server.ask("PUT", "/v2/keys/big?noValueOnSuccess=true", form: form).status < 300)
            writes += 1
        }
        #expect(writes < 500)
        withExtendedLifetime(client) {}
    }

    @Test("An event larger than the bound still arrives")
    func large() throws {
        let (client, _) = try watch("/big?wait=true&stream=true")
        let value = String(repeating: "y", count: 3_000_000)
        _ = try server.ask("PUT", "/v2/keys/big?noValueOnSuccess=true", form: "value=" + value)
        #expect(try event(client).utf8.count > value.utf8.count)
        _ = try server.ask("PUT", "/v2/keys/big", form: "value=small")
        #expect(try event(client).contains("\"value\":\"small\""))
    }

    @Test("When the server stops, a watch ends with headers and no event")
    func stopped() throws {
        let (client, _) = try watch("/a?wait=true")
        try server.onLoop { $0.stop() }
        #expect(try client.take(through: "\r\n\r\n") == "0\r\n\r\n")
    }

    @Test("A watch and the change it waits for may be sent ahead on other connections in any order")
    func pipelined() throws {
        let client = try server.client()
        client.send(
            APIServer.request("GET", "/v2/keys/a?wait=true") + APIServer.request("GET", "/v2/keys/a")
                + APIServer.request("GET", "/v2/keys/a?wait=true"))
        _ = try client.take(through: "\r\n\r\n")
        _ = try server.ask("PUT", "/v2/keys/a", form: "value=1")
        #expect(try event(client).contains("\"value\":\"1\""))
        _ = try client.take(through: "0\r\n\r\n")
        #expect(try client.answer().contains("\"value\":\"1\""))
        _ = try client.take(through: "\r\n\r\n")
        _ = try server.ask("PUT", "/v2/keys/a", form: "value=2")
        #expect(try event(client).contains("\"value\":\"2\""))
    }
}
