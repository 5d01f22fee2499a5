import Foundation
import Testing

/// Work that could take seconds at a stretch, and what goes on beside it.
@Suite("Large listings, many expirations, a long past", .blocking)
struct LongWorkTests {
    private func fill(_ member: LocalCluster.Member, _ keys: Range<Int>, _ prefix: String, ttl: Int? = nil) throws {
        let client = member.client()
        for number in keys {
            let answer = try client.put("\(prefix)/k\(number)", "v\(number)", ttl.map { ["ttl": "\($0)"] } ?? [:])
            guard answer.isSuccess else { throw Failure("put: \(answer.text)") }
        }
    }

    /// Files without a name that the process holds open.
    private func unnamedFiles(_ child: Child) -> Int {
        Files.names("/proc/\(child.pid)/fd").count { name in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(child.pid)/fd/\(name)")
            return target?.contains("/transfer/") == true
        }
    }

    @Test("A listing of thousands is whole and in order, here and at a follower; nobody leads anew; clients that leave leave no file behind")
    func listing() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let leader = try cluster.leader()
        try fill(leader, 0..<5000, "/big")
        let term = try leader.client().get("/big/k0").headers["x-raft-term"]
        for member in cluster.members {
            let index = try member.client().get("/big/k1", "quorum=true").headers["x-etcd-index"]
            for query in ["", "recursive=true", "recursive=true&sorted=true&quorum=true"] {
                let answer = try member.client().get("/big", query)
                let keys = try answer.answer().node?.nodes?.map(\.key) ?? []
                #expect(answer.status == 200 && keys == (0..<5000).map { "/big/k\($0)" }.sorted(), "\(member.name) \(query): \(keys.count)")
                #expect(Int(answer.headers["x-etcd-index"] ?? "") ?? 0 >= Int(index ?? "") ?? .max)
            }
            let none = try member.client().get("/big/none", "recursive=true")
            #expect(none.status == 404)
        }
        for _ in 0..<20 {
            let socket = try Socket(connectingTo: leader.port, timeoutSeconds: 20)
            try socket.send(Array("GET /v2/keys/big?recursive=true HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
            usleep(20_000)
            socket.close()
        }
        let child = try #require(leader.child)
        #expect(eventually(within: 20) { unnamedFiles(child) == 0 })
        #expect(Files.names(leader.directory + "/member/transfer").isEmpty)
        #expect(try leader.client().get("/big/k0").headers["x-raft-term"] == term)
        #expect(try cluster.complaints() == [])
    }

    @Test("Thousands of keys of one age expire on all members alike, while writes go on and nobody leads anew")
    func expiry() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place, flags: ["--history-events", "100000"])
        try cluster.start()
        let leader = try cluster.leader()
        let seconds = 12
        let start = steadySeconds
        try fill(leader, 0..<2500, "/big", ttl: seconds)
        // All at one moment or nearly so: those that came later have less time left.
        for number in 2500..<5000 {
            let ttl = max(1, seconds - Int(steadySeconds - start))
            guard try leader.client().put("/big/k\(number)", "v", ["ttl": "\(ttl)"]).isSuccess else { throw Failure("put") }
        }
        let term = try leader.client().get("/").headers["x-raft-term"]
        let isGone = try eventually(within: 60) {
            guard try leader.client().put("/other", "1").isSuccess else { throw Failure("put") }
            return try leader.client().get("/big").answer().node?.nodes?.isEmpty ?? true
        }
        #expect(isGone)
        #expect(try leader.client().get("/").headers["x-raft-term"] == term)
        // Each has an event of its own, in the history of each member.
        for member in cluster.members {
            let event = try member.client().get("/big/k4999", "wait=true&waitIndex=\(2500 + 8)")
            #expect(event.status == 200)
        }
        #expect(try cluster.complaints() == [])
    }
}
