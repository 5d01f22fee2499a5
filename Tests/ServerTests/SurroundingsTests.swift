import Glibc
import Testing

@testable import Server

@Suite("What a start asks of this computer")
struct SurroundingsTests {
    private let live = Surroundings.live

    @Test("Files and directories, with Go's words for what is missing")
    func files() throws {
        var template = "/tmp/etclite-options-XXXXXX".utf8CString.map { $0 }
        try #require(mkdtemp(&template) != nil)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { rmdir(path) }
        let file = path + "/c.yml"
        let descriptor = open(file, O_WRONLY | O_CREAT, 0o600)
        #expect(write(descriptor, "name: é\n", 9) == 9)
        close(descriptor)
        #expect(live.readFile(file) == .text("name: é\n"))
        #expect(live.list(path) == .names(["c.yml"]))
        #expect(live.list(file) == .failed("not a directory"))
        unlink(file)
        #expect(live.readFile(file) == .failed("no such file or directory"))
        #expect(live.readFile(path) == .failed("is a directory"))
        #expect(live.list(file) == .missing)
    }

    @Test("A config file is bounded")
    func endless() {
        #expect(live.readFile("/dev/zero") == .failed("larger than 1 MiB"))
    }

    @Test("Addresses: loopback is ours, documentation's are not; nonsense is none")
    func addresses() {
        #expect(live.isLocalAddress("127.0.0.1"))
        #expect(!live.isLocalAddress("192.0.2.55"))
        #expect(!live.isLocalAddress("node1"))
        #expect(live.resolve("127.0.0.1") == "127.0.0.1")
        #expect(live.resolve("no host") == nil)
        if let address = live.defaultAddress() { #expect(EndpointURL.isAddress(address)) }
    }

    @Test("Limits and clock")
    func limits() {
        #expect(live.fileDescriptorLimit() > 0)
        let now = live.now()
        #expect(now.seconds > 1_700_000_000 && (0..<1_000_000).contains(now.microseconds))
    }
}
