import Foundation

/// Disks without room, and people who look at the files.
extension FaultScenario {
    static let ofDisks: [FaultScenario] = [
        FaultScenario("one full disk after another, the leader's first", .members) { stage, _ in
            let leader = try stage.cluster.leader()
            for member in [leader] + stage.cluster.followers(of: leader) {
                guard let disk = stage.disk(of: member) else {
                    return print("not tested: full disks (nothing may be mounted here)")
                }
                stage.excuse([member])
                try fill([(member, disk)])
                defer { empty([disk]) }
                // With the leader's: more than its log has room for without growing.
                let others = stage.cluster.members.filter { $0 !== member }
                let seconds = member === leader ? stage.scale.gapSecondsMax + 4 : stage.scale.seconds / 2
                try stage.expectServed(others, seconds: seconds, valueBytes: 900_000)
                // What was cut from its log before is room, too; how soon that is used up hangs on the machine.
                var rounds = 1
                while member === leader, try stage.cluster.leader() === leader {
                    guard rounds < 6 else { throw Failure("\(leader.name) leads on with a full disk") }
                    rounds += 1
                    try stage.expectServed(others, seconds: seconds, valueBytes: 900_000)
                }
                empty([disk])
                try stage.awaitServed(member)
            }
        },
        FaultScenario("all disks full at once, then room on one after another", .members) { stage, _ in
            let all = stage.cluster.members.compactMap { member in stage.disk(of: member).map { (member, $0) } }
            guard all.count == stage.cluster.members.count else { return }
            stage.excuse(stage.cluster.members)
            let before = try leaderChanges(stage)
            try fill(all)
            // What is acknowledged at all is what the log has room for without growing.
            let value = String(repeating: "f", count: 500_000)
            for number in 0..<60 {
                guard (try? HTTPClient(port: stage.port(number), timeoutSeconds: 2).put("/full", value))?.isSuccess == true else {
                    break
                }
            }
            stage.hold(stage.scale.seconds * 2)
            let elections = try leaderChanges(stage) - before
            // Two have room: a majority.
            empty([all[1].1])
            stage.hold(1)
            empty([all[2].1])
            defer { empty(all.map(\.1)) }
            for (member, _) in all.dropFirst() { try stage.awaitServed(member) }
            guard elections <= 10 else { throw Failure("\(elections) elections while all disks were full") }
        },
        FaultScenario("readers that hold transactions on log.db and tree.db", .members) { stage, _ in
            guard Program.isInstalled("sqlite3") else { return print("not tested: readers (there is no sqlite3 here)") }
            var readers: [Child] = []
            var signs: [String] = []
            for member in stage.cluster.members {
                for (file, table) in [("log.db", "entries"), ("tree.db", "nodes")] {
                    // The shell says that it looks, and then sleeps inside of the transaction.
                    let sign = stage.place("looks-\(member.name)-\(table)")
                    Files.remove(sign)
                    signs.append(sign)
                    let file = "\(member.directory)/member/\(file)"
                    let words = [
                        "-readonly", "-batch", file, "BEGIN", "SELECT count(*) FROM \(table)", ".shell touch \(sign); sleep 12",
                    ]
                    readers.append(try Child("sqlite3", words, output: sign + ".out"))
                }
            }
            // Each must be looking before the writes begin that it is to hold on to.
            let areLooking = eventually(within: 10) { signs.allSatisfy { Files.exists($0) } }
            guard areLooking else { throw Failure("a reader sees nothing: \(readers.map(\.text))") }
            let before = stage.probe.ledger.acknowledged
            try stage.expectServed(stage.cluster.members, seconds: stage.scale.seconds * 2, valueBytes: 900_000)
            let sizes = stage.cluster.members.map { "\($0.name) \($0.dataBytes >> 20) MB" }.joined(separator: ", ")
            print("\(stage.probe.ledger.acknowledged - before) small writes beside readers and large ones; \(sizes)")
            for reader in readers { reader.kill() }
        },
    ]

    private static func fill(_ disks: [(LocalCluster.Member, SmallDisk)]) throws {
        for (_, disk) in disks { try disk.fill("filler") }
    }

    private static func empty(_ disks: [SmallDisk]) {
        for disk in disks { Files.remove(disk.path + "/filler") }
    }

    private static func leaderChanges(_ stage: FaultStage) throws -> Int {
        var highest = 0
        for member in stage.cluster.running {
            let text = try member.client().request("GET", "/metrics").text
            guard let match = text.firstMatch(of: /etcd_server_leader_changes_seen_total (\d+)/) else {
                throw Failure("no count of leaders")
            }
            highest = max(highest, Int(match.output.1) ?? 0)
        }
        return highest
    }
}
