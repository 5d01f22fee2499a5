import Foundation
import TestSupport

/// Clients that ask and do not take the answer, or not as one should.
extension FaultScenario {
    static let ofReaders: [FaultScenario] = [
        FaultScenario("streams that nobody reads", .clients) { stage, _ in
            try stage.atEachMember { port in
                let readers = try (0..<4).map { number in
                    let query =
                        number % 2 == 0
                        ? "wait=true&stream=true&recursive=true" : "wait=true&stream=true&recursive=true&waitIndex=1"
                    return try Socket.unreading(port, RawRequest.get("/v2/keys/storm?\(query)"))
                }
                let client = HTTPClient(port: port)
                let value = String(repeating: "v", count: 100_000)
                for number in 0..<40 {
                    let answer = try client.put("/storm/\(port)/\(number % 4)", value)
                    guard answer.isSuccess else { throw Failure("PUT: \(answer.status) \(answer.text.prefix(200))") }
                }
                for reader in readers { reader.close() }
            }
        },
        FaultScenario("hundreds of streams that nobody reads, and one large value after another", .clients) { stage, _ in
            try stage.atEachMember { port in
                let request = RawRequest.get("/v2/keys/flood/\(port)?wait=true&stream=true&recursive=true")
                let readers = try (0..<300).map { _ in try Socket.unreading(port, request) }
                let client = HTTPClient(port: port)
                for number in 0..<6 {
                    let value = String(repeating: "\(number)", count: 900_000)
                    let answer = try client.put("/flood/\(port)/a", value)
                    guard answer.isSuccess else { throw Failure("PUT: \(answer.status) \(answer.text.prefix(200))") }
                }
                for reader in readers { reader.close() }
            }
        },
        FaultScenario("curl killed while it streams", .clients) { stage, _ in
            guard Program.isInstalled("curl") else { return print("not tested: streams of curl (there is no curl here)") }
            try stage.atEachMember { port in
                for number in 0..<30 {
                    let streams = try (0..<2).map { stream in
                        try Child(
                            "curl", ["-sN", "http://127.0.0.1:\(port)/v2/keys/?wait=true&stream=true&recursive=true"],
                            output: stage.place("curl-\(port)-\(stream)"))
                    }
                    usleep(UInt32(20_000 + number * 3000))
                    for stream in streams { stream.kill() }
                }
            }
        },
        FaultScenario("streams that are stopped, reset, ended in one direction", .clients) { stage, generator in
            let seed = generator.next()
            try stage.atEachMember { port in
                var generator = SeededGenerator(seed: seed &+ UInt64(port))
                let requests = [
                    RawRequest.get("/v2/keys/?wait=true&stream=true&recursive=true"),
                    RawRequest.get("/v2/keys/load?wait=true&recursive=true"),
                    RawRequest.get("/v2/keys/load?recursive=true"), RawRequest.get("/metrics"),
                    RawRequest.get("/v2/keys/load?recursive=true&quorum=true"), RawRequest.put("/rude/\(port)", "value=1"),
                ]
                let end = steadySeconds + stage.scale.seconds
                while steadySeconds < end {
                    let sockets = try (0..<10).map { _ in try Socket.unreading(port, generator.pick(requests)) }
                    usleep(UInt32(generator.below(20_000)))
                    for socket in sockets {
                        switch generator.below(4) {
                        case 0: socket.reset()
                        case 1: socket.finishSending()
                        case 2: socket.end()
                        default: _ = try? socket.receive()
                        }
                    }
                    usleep(UInt32(generator.below(20_000)))
                    for socket in sockets { generator.chance(50) ? socket.reset() : socket.close() }
                }
            }
        },
        FaultScenario("2,000 requests for a large value, and no answer read", .clients) { stage, _ in
            let large = String(repeating: "v", count: 1_000_000)
            let answer = try HTTPClient(port: stage.port(0)).put("/large", large)
            guard answer.isSuccess else { throw Failure("PUT: \(answer.status) \(answer.text.prefix(200))") }
            try stage.atEachMember { port in
                guard try eventually(within: 10, { try HTTPClient(port: port).get("/large", "quorum=true").isSuccess }) else {
                    throw Failure("the large value is not there")
                }
                let sockets = try ["/v2/keys/large", "/v2/keys/large?quorum=true", "/v2/keys/?recursive=true"].map {
                    try Socket.unreading(port, String(repeating: RawRequest.get($0), count: 2000))
                }
                stage.hold()
                for socket in sockets { socket.close() }
            }
        },
        FaultScenario("copies of everything that nobody reads, and clients that leave", .clients) { stage, _ in
            try stage.atEachMember { port in
                let stalled = try (0..<3).map { _ in try Socket.unreading(port, RawRequest.get("/etclite/backup")) }
                for number in 0..<10 {
                    let socket = try Socket.unreading(port, RawRequest.get("/etclite/backup"))
                    usleep(UInt32(number * 10_000))
                    socket.reset()
                }
                stage.hold(stage.scale.seconds / 2)
                for socket in stalled { socket.close() }
            }
        },
    ]
}
