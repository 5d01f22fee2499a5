import Foundation
import Synchronization

/// Much to read and much to remove at one time.
extension FaultScenario {
    static let ofManyKeys: [FaultScenario] = [
        FaultScenario("a listing of many keys, all of which expire together", .clients) { stage, generator in
            let place = "/many/\(generator.next())"
            // Long enough to make them all.
            let life = 6 + stage.scale.keys / 600
            let end = steadySeconds + Double(life)
            let made = Mutex(0)
            let writers = 12
            try FaultStage.inThreads(writers) { writer in
                let client = HTTPClient(port: stage.port(writer))
                for number in stride(from: writer, to: stage.scale.keys, by: writers) {
                    let left = Int(end - steadySeconds)
                    guard left > 1, let answer = try? client.put("\(place)/d\(number % 7)/k\(number)", "1", ["ttl": "\(left)"])
                    else { return }
                    if answer.isSuccess { made.withLock { $0 += 1 } }
                }
            }
            print("\(made.withLock { $0 }) keys made, \(Int(end - steadySeconds)) s before their end")
            try stage.atEachMember { port in
                let unread = try Socket.unreading(port, RawRequest.get("/v2/keys\(place)?recursive=true&sorted=true"))
                let client = HTTPClient(port: port)
                var count = Int.max
                while count > 0 {
                    guard steadySeconds < end + 30 else { throw Failure("\(count) keys are there 30 s after their end") }
                    let sorted = Int(steadySeconds) % 2 == 0
                    count =
                        try client.get(place, "recursive=true&sorted=\(sorted)&quorum=\(!sorted)").answer().node?.files.count ?? 0
                    if count == 0 { count = steadySeconds < end - 1 ? Int.max : 0 }
                    usleep(100_000)
                }
                unread.close()
            }
        },
        FaultScenario("a large directory made and removed", .clients) { stage, generator in
            let place = "/wide/\(generator.next())"
            let writers = 12
            try FaultStage.inThreads(writers) { writer in
                let client = HTTPClient(port: stage.port(writer))
                for number in stride(from: writer, to: stage.scale.keys / 2, by: writers) {
                    // Those that are missing are no loss here.
                    guard (try? client.put("\(place)/k\(number)", "1"))?.isSuccess == true else { return }
                }
            }
            let watch = try Socket.unreading(
                stage.port(1), RawRequest.get("/v2/keys\(place)?wait=true&stream=true&recursive=true"))
            let client = HTTPClient(port: stage.port(2))
            let refused = try client.put(place, "1")
            guard refused.status == 403 else {
                throw Failure("a file in the place of a directory: \(refused.status) \(refused.text)")
            }
            let answer = try client.request("DELETE", "/v2/keys\(place)?recursive=true")
            guard answer.status == 200 else { throw Failure("DELETE: \(answer.status) \(answer.text.prefix(200))") }
            watch.close()
        },
    ]
}
