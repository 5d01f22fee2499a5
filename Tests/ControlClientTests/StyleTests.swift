import Testing

@testable import ControlClient

@Suite("What a person sees in a terminal")
struct StyleTests {
    private static let members = #"""
        {"members":[{"id":"a0","name":"one","peerURLs":["http://p:1","http://p:2"],"clientURLs":["http://c:1"]},
        {"id":"b00","name":"","peerURLs":["http://p:3"],"clientURLs":[]}]}
        """#
    private static let leader = #"{"id":"a0","name":"one","peerURLs":["http://p:1"],"clientURLs":["http://c:1"]}"#

    private func list(_ style: Style) async throws -> String {
        try await StubServer.run(answer: { request, _ in
            .json(200, request.line.contains("leader") ? Self.leader : Self.members)
        }) { server in
            await etcdctl(["--no-sync", "--endpoints", server.url, "member", "list"], style: style).out
        }
    }

    @Test("Members are a table in a terminal, with colour where there is some; etcdctl's lines elsewhere")
    func members() async throws {
        #expect(try await list(.plain) == """
            a0: name=one peerURLs=http://p:1,http://p:2 clientURLs=http://c:1 isLeader=true
            b00[unstarted]: peerURLs=http://p:3\n
            """)
        #expect(try await list(Style(isTerminal: true, isColoured: false)) == """
            ID   NAME  STATE      PEER URLS              CLIENT URLS
            a0   one   leader     http://p:1,http://p:2  http://c:1
            b00        unstarted  http://p:3             \n
            """)
        #expect(try await list(Style(isTerminal: true, isColoured: true)).contains("a0   one   \u{1b}[32mleader\u{1b}[0m     http"))
    }

    @Test("Directories have their colour, and only in a terminal that has some")
    func directories() async throws {
        let body = #"{"action":"get","node":{"dir":true,"nodes":[{"key":"/d","dir":true,"nodes":[{"key":"/d/k","value":"v"}]}]}}"#
        for (style, text) in [
            (Style.plain, "/d/\n/d/k\n"), (Style(isTerminal: true, isColoured: true), "\u{1b}[34m/d\u{1b}[0m/\n/d/k\n"),
        ] {
            let outcome = try await StubServer.run(answer: { _, _ in .json(200, body) }) { server in
                await etcdctl(["--no-sync", "--endpoints", server.url, "ls", "-r", "-p"], style: style)
            }
            #expect(outcome.out == text)
        }
    }

    @Test("NO_COLOR and a terminal without colours are heeded; what is no terminal has neither")
    func environment() {
        #expect(!Style(of: -1, environment: ["TERM": "xterm"]).isTerminal)
        #expect(!Style(of: -1, environment: ["TERM": "xterm"]).isColoured)
    }
}
