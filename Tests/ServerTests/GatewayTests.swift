import Testing

@testable import Server

@Suite("server.md §9.2: the gateway's command line")
struct GatewayTests {
    private func options(_ arguments: String...) -> GatewayOptions? {
        if case .run(let options) = GatewayLaunch(["start"] + arguments) { options } else { nil }
    }

    private func refusal(_ arguments: String...) -> String? {
        guard case .exit(1, "", let stderr) = GatewayLaunch(["start"] + arguments) else { return nil }
        return stderr.split(separator: "\n").first.map(String.init)
    }

    @Test("Defaults, flags in both forms, and words that are no flags")
    func flags() {
        #expect(options() == GatewayOptions())
        let given = options("x", "--endpoints", "a:1, b:2", "--listen-addr=:9", "--retry-delay", "1m1.5s", "--insecure-discovery", "--discovery-srv=d")
        #expect(given?.endpoints == ["a:1", "b:2"] && given?.listenAddress == ":9" && given?.retryMilliseconds == 61_500)
        #expect(given?.isInsecureDiscoveryAllowed == true && given?.discoveryDomain == "d")
    }

    @Test("What cannot be read ends the start with the usage")
    func refusals() {
        #expect(refusal("--bogus") == "Error: unknown flag: --bogus")
        #expect(refusal("--endpoints") == "Error: flag needs an argument: --endpoints")
        for value in ["5", "-1s", "0", "1000h"] {
            #expect(refusal("--retry-delay", value)?.hasPrefix("Error: invalid argument \"\(value)\" for \"--retry-delay\" flag: ") == true)
        }
        #expect(GatewayLaunch([]) == .exit(code: 0, stdout: GatewayLaunch.usage, stderr: ""))
        if case .exit(let code, let stdout, _) = GatewayLaunch(["start", "--help"]) { #expect(code == 0 && stdout.contains("--retry-delay")) }
    }

    @Test("Endpoints with or without a scheme; without a port they are none")
    func endpoints() throws {
        var options = GatewayOptions()
        options.endpoints = ["http://localhost:1", "https://[::1]:2/", "node:3"]
        let remotes = try options.remotes()
        #expect(remotes.map(\.host) == ["localhost", "::1", "node"] && remotes.map(\.port) == [1, 2, 3])
        for endpoint in ["127.0.0.1", ":1", "a:0", "ftp:/x"] {
            options.endpoints = [endpoint]
            #expect(throws: StartupFailure.plain("error parsing endpoint \"\(endpoint)\"")) { try options.remotes() }
        }
    }
}
