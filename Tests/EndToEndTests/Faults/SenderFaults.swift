import Foundation
import TestSupport

/// Clients that send what they should not, too slowly, too much, or nothing.
extension FaultScenario {
    /// What the other clients may still connect with, of all a member has.
    private static let idle = 700

    static let ofSenders: [FaultScenario] = [
        FaultScenario("requests that drip, and some that never end", .clients) { stage, _ in
            try stage.atEachMember { port in
                let requests = [
                    RawRequest.put("/drip", "value=" + String(repeating: "x", count: 200)), RawRequest.get("/v2/keys/load"),
                    "PUT /v2/keys/drip HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"
                        + String(repeating: "y", count: 999),
                ]
                let sockets = try (0..<30).map { (try Socket(connectingTo: port), Array(requests[$0 % 3].utf8)) }
                for number in 0..<Int(stage.scale.seconds) {
                    for (socket, bytes) in sockets where number < bytes.count { try? socket.send([bytes[number]]) }
                    sleep(1)
                }
            }
        },
        FaultScenario("hundreds of large requests that lack their last byte", .clients) { stage, _ in
            try stage.atEachMember { port in
                let bytes = Array(RawRequest.put("/lacks", "value=" + String(repeating: "x", count: 1_000_000)).utf8.dropLast())
                var sockets = try (0..<400).map { _ in
                    (socket: try Socket(connectingTo: port, timeoutSeconds: 1), rest: bytes[...])
                }
                // Each sends as much as is taken, and again later.
                for _ in 0..<8 {
                    for number in sockets.indices { sockets[number].rest = sockets[number].socket.offer(sockets[number].rest) }
                    stage.hold(stage.scale.seconds / 8)
                }
                for (socket, _) in sockets { socket.close() }
            }
        },
        FaultScenario("many idle connections", .clients) { stage, _ in
            try stage.atEachMember { port in
                let starts = [
                    "", "GET /v2/keys/load HTTP/1.1\r\nHo", RawRequest.get("/version"),
                    RawRequest.get("/v2/keys/load?wait=true&recursive=true"),
                ]
                let sockets = try (0..<idle).map { try Socket.unreading(port, starts[$0 % starts.count]) }
                stage.hold()
                for socket in sockets { socket.close() }
            }
        },
        FaultScenario("garbage", .clients) { stage, generator in
            let seed = generator.next()
            try stage.atEachMember { port in
                var generator = SeededGenerator(seed: seed &+ UInt64(port))
                let pieces: [[UInt8]] = [
                    [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03],
                    Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8),
                    Array("ETCLITE/PEER/1\r\n".utf8), Array("GET / HTTP/1.1\r\n".utf8) + Array(repeating: 0x41, count: 70_000),
                    Array("PUT /v2/keys/g HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n".utf8),
                    Array("PUT /v2/keys/g HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".utf8),
                    Array("\r\n\r\n\r\n".utf8),
                ]
                for number in 0..<300 {
                    let socket = try Socket(connectingTo: port, timeoutSeconds: 1)
                    let bytes = generator.bytes(generator.below(3000))
                    try? socket.send(number % 2 == 0 ? bytes : generator.pick(pieces) + bytes)
                    switch generator.below(3) {
                    case 0: socket.reset()
                    case 1: socket.finishSending()
                    default: socket.close()
                    }
                }
            }
        },
        FaultScenario("paths of thousands of levels", .clients) { stage, _ in
            let deep = String(repeating: "/a", count: 20_000)
            let longName = "/" + String(repeating: "n", count: 60_000)
            let encoded = String(repeating: "/%61", count: 5000)
            try stage.atEachMember { port in
                for path in [deep, longName, encoded] {
                    for method in ["PUT", "POST", "GET", "DELETE"] {
                        let socket = try Socket(connectingTo: port)
                        let form = method == "PUT" || method == "POST" ? "value=1" : ""
                        let more = method == "GET" ? "?wait=false&recursive=true" : method == "DELETE" ? "?recursive=true" : ""
                        try? socket.send(
                            Array(
                                ("\(method) /v2/keys\(path)\(more) HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                                    + "Content-Length: \(form.utf8.count)\r\n\r\n\(form)").utf8))
                        let status = socket.status()
                        if let status, (200..<300).contains(status) {
                            throw Failure("\(method) of a path of \(path.utf8.count) bytes: \(status)")
                        }
                    }
                }
            }
        },
        FaultScenario("clients that take all descriptors", .clients) { stage, _ in
            guard Program.isInstalled("prlimit") else { return print("not tested: all descriptors (there is no prlimit here)") }
            try stage.atEachMember { port in
                var sockets: [Socket] = []
                // The queue of those that wait to be accepted may be full before: then there is no more to take.
                while sockets.count < FaultStage.descriptorsMax + 100,
                    let socket = try? Socket.unreading(port, sockets.count % 2 == 0 ? RawRequest.get("/version") : "")
                { sockets.append(socket) }
                stage.hold(stage.scale.seconds / 2)
                for socket in sockets { socket.close() }
            }
        },
        FaultScenario("values of 1 MB at full speed", .clients) { stage, _ in
            let value = String(repeating: "w", count: 1_000_000)
            try stage.atEachMember { port in
                let end = steadySeconds + stage.scale.seconds
                let client = HTTPClient(port: port)
                var number = 0
                while steadySeconds < end {
                    number += 1
                    let answer = try client.put("/megabytes/\(port)/\(number % 3)", value)
                    // Refused is well, if it comes to that; it is not what this looks at.
                    if !answer.isSuccess { usleep(100_000) }
                }
            }
        },
    ]
}
