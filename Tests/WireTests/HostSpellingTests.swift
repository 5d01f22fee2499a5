import Testing

@testable import Wire

@Suite("Spellings of one place")
struct HostSpellingTests {
    @Test(
        "What is one place",
        arguments: [
            ["http://[::1]:1", "http://[0:0:0:0:0:0:0:1]:1", "http://[0000:0::0001]:01", "HTTP://[::0.0.0.1]:1", "http://[0::1]:1"],
            [
                "http://10.0.0.1:1", "http://[::ffff:10.0.0.1]:1", "http://[::FFFF:a00:1]:1", "http://0xa.0.0.1:1", "http://10.1:1",
                "http://167772161:1", "http://012.0.0.1:1",
            ],
            ["http://[fe80::A]:1", "http://[fe80:0::a]:1", "http://[FE80:0:0:0:0:0:0:a]:1"],
            ["https://Node1.Example:1", "https://node1.example.:1", "https://NODE1.EXAMPLE:0001"],
        ])
    func same(spellings: [String]) {
        #expect(Set(spellings.map { HostSpelling.canonical(url: $0) }).count == 1, "\(spellings.map { HostSpelling.canonical(url: $0) })")
    }

    @Test("What is not")
    func different() {
        let urls = [
            "http://[::1]:1", "http://[::1]:2", "https://[::1]:1", "http://[::2]:1", "http://127.0.0.1:1", "http://localhost:1",
            "http://[1::]:1", "http://[::1:0]:1", "http://[::127.0.0.1]:1", "http://node1:1", "http://node1.example:1", "http://256.0.0.1:1",
            "http://1.2.3.4.5:1", "unix://a:1", "unix:///A:1", "unix:///a:1", "http://1.2.3.4:x", "", ":", "://", "http://",
            "http://[:::]:1", "http://[1:2:3:4:5:6:7:8:9]:1", "http://[12345::]:1", "http://[::1.2.3]:1", "http://[::01.2.3.4]:1", "http://:1",
        ]
        #expect(Set(urls.map { HostSpelling.canonical(url: $0) }).count == urls.count)
    }
}
