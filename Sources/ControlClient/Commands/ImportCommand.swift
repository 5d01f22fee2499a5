import Foundation
import Synchronization

/// `import` of etcdctl 2 (ctl.md A5): sets all keys of a snapshot of etcd 0.4.
enum ImportCommand {
    /// What has little time left gets some to be found again.
    private static let secondsMin: Int64 = 300
    private static let clientsMax: Int64 = 1000

    @Sendable static func run(_ invocation: Invocation) async throws {
        let console = invocation.console
        let file = invocation.flags.string("snap")
        guard let bytes = FileManager.default.contents(atPath: file) else {
            // As etcdctl: where its success is told.
            console.line(file.isEmpty ? "no snapshot file provided (use --snap)" : "cannot read snapshot file \(file)")
            throw CommandFailure(text: "", status: CommandFailure.badArguments)
        }
        let snapshot: LegacySnapshot
        do {
            snapshot = try LegacySnapshot([UInt8](bytes))
        } catch {
            console.line("cannot recover the snapshot file: \(error)")
            throw CommandFailure(text: "", status: CommandFailure.badArguments)
        }
        let keys: [LegacySnapshot.Key]
        do {
            keys = try (["/"] + invocation.flags.list("hidden")).flatMap { path throws(LegacySnapshot.Failure) in
                try snapshot.keys(below: path)
            }
        } catch {
            throw CommandFailure(error: "\(error)", status: CommandFailure.serverError)
        }
        let given = invocation.flags.int("c")
        let count = min(max(given == 0 ? 10 : given, 1), clientsMax)
        let client = try await invocation.connect()
        console.line("starting to import snapshot \(file) with \(count) clients")
        try await set(keys, by: Int(count), client, invocation)
        console.line("finished importing \(keys.count) keys")
    }

    private static func set(_ keys: [LegacySnapshot.Key], by count: Int, _ client: ClusterClient, _ invocation: Invocation) async throws {
        let rest = Keys(keys)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<count {
                group.addTask {
                    var client = client
                    while let key = rest.next() {
                        do {
                            let request = ClusterRequest.put(key.path, form: form(of: key, invocation.console))
                            _ = try KeyResponse(await client.response(to: request, before: invocation.deadline))
                        } catch {
                            throw CommandFailure(lines: "failed to copy key \(key.path): \(error)")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func form(of key: LegacySnapshot.Key, _ console: Console) -> [String: [UInt8]] {
        var form = ["value": Array(key.value.utf8)]
        if let expiration = key.expiration {
            // A file may name any year.
            let seconds = Int64(min(max(expiration.timeIntervalSinceNow.rounded(.up), 0), 1e15))
            if seconds < secondsMin { console.errorLine("extending key \(key.path)'s ttl to \(secondsMin) seconds") }
            form["ttl"] = Array(String(max(seconds, secondsMin)).utf8)
        }
        return form
    }

    /// What is left to be done, for all clients.
    private final class Keys: Sendable {
        private let rest: Mutex<ArraySlice<LegacySnapshot.Key>>

        init(_ keys: [LegacySnapshot.Key]) { rest = Mutex(keys[...]) }

        func next() -> LegacySnapshot.Key? { rest.withLock { $0.popFirst() } }
    }
}
