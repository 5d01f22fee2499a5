import Foundation

/// Members that stop, die or are cut off, while others go on.
extension FaultScenario {
    static let ofMembers: [FaultScenario] = [
        FaultScenario("a paused leader, a paused follower", .members) { stage, _ in
            let leader = try stage.cluster.leader()
            for member in [leader, stage.cluster.followers(of: leader)[0]] {
                stage.excuse([member])
                member.child?.send(SIGSTOP)
                defer { member.child?.send(SIGCONT) }
                stage.hold()
            }
        },
        FaultScenario("a silent death of the leader's connections", .members) { stage, _ in
            let leader = try stage.cluster.leader()
            stage.excuse([leader])
            stage.network.separate([leader.name], from: stage.cluster.members.map(\.name).filter { $0 != leader.name }, .stall)
            defer { stage.network.heal() }
            stage.hold()
        },
        FaultScenario("a follower that is cut off, and slow links between the others", .members) { stage, generator in
            let leader = try stage.cluster.leader()
            let cutOff = generator.pick(stage.cluster.followers(of: leader))
            stage.excuse([cutOff])
            let others = stage.cluster.members.filter { $0 !== cutOff }.map(\.name)
            stage.network.separate([others[0]], from: [others[1]], .delay(milliseconds: 30))
            stage.network.separate([cutOff.name], from: others)
            defer { stage.network.heal() }
            stage.hold()
        },
        FaultScenario("kill -9 of one member after another", .members) { stage, _ in
            let leader = try stage.cluster.leader()
            for member in [leader] + stage.cluster.followers(of: leader) {
                stage.excuse([member])
                stage.kill(member)
                stage.hold(stage.scale.seconds / 4)
                try stage.restart(member)
            }
        },
        FaultScenario("a log that nobody drains, and an election", .members) { stage, _ in
            let leader = try stage.cluster.leader()
            let member = stage.cluster.followers(of: leader)[0]
            stage.excuse([member, leader])
            let pipe = stage.place("pipe-\(DispatchTime.now().uptimeNanoseconds)")
            guard mkfifo(pipe, 0o600) == 0 else { throw Failure("no pipe: errno \(errno)") }
            // Somebody holds its other end and does not read; a page is all that it takes (F_SETPIPE_SZ, which Glibc does not show to Swift).
            let end = open(pipe, O_RDWR | O_CLOEXEC)
            guard end >= 0 else { throw Failure("cannot open the pipe: errno \(errno)") }
            _ = fcntl(end, 1031, 4096)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            while write(end, [UInt8](repeating: 10, count: 1), 1) > 0 {}
            let launcher = member.launcher
            stage.kill(member)
            member.launcher = launcher + ["sh", "-c", "exec \"$0\" \"$@\" >\(pipe) 2>&1"]
            defer {
                // It starts anew with a log that the tests can read; the pipe's end lets it go on even if it waits for that.
                member.launcher = launcher
                close(end)
            }
            try stage.restart(member)
            stage.kill(leader)
            try stage.awaitServed(member, within: 15)
            try stage.restart(leader)
            stage.kill(member)
            member.launcher = launcher
            try stage.restart(member)
        },
        FaultScenario("a member that comes back while clients hold all the others' descriptors", .members) { stage, _ in
            guard Program.isInstalled("prlimit") else { return print("not tested: descriptors (there is no prlimit here)") }
            let leader = try stage.cluster.leader()
            let followers = stage.cluster.followers(of: leader)
            var sockets: [Socket] = []
            // More than are taken: some wait for whatever becomes free.
            for port in [leader.port, followers[1].port] {
                var count = 0
                while count < FaultStage.descriptorsMax + 50, let socket = try? Socket.unreading(port, RawRequest.get("/version"))
                {
                    sockets.append(socket)
                    count += 1
                }
            }
            defer { for socket in sockets { socket.close() } }
            stage.excuse([followers[0]])
            stage.kill(followers[0])
            stage.hold(1)
            try stage.restart(followers[0])
            // It takes part: a write of its own client gets there without the third.
            followers[1].child?.send(SIGSTOP)
            defer { followers[1].child?.send(SIGCONT) }
            stage.excuse([followers[1]])
            try stage.awaitServed(followers[0], within: 15)
        },
        FaultScenario("all members paused, all members killed", .members) { stage, _ in
            stage.excuse(stage.cluster.members)
            for member in stage.cluster.members { member.child?.send(SIGSTOP) }
            stage.hold()
            for member in stage.cluster.members { member.child?.send(SIGCONT) }
            for member in stage.cluster.members { try stage.awaitServed(member, within: 15) }
            for member in stage.cluster.members { stage.kill(member) }
            for member in stage.cluster.members { try member.spawn() }
            for member in stage.cluster.members { try stage.awaitServed(member) }
        },
        FaultScenario("requests at a member that is not ready, whose clients leave", .members) { stage, generator in
            stage.excuse(stage.cluster.members)
            let leader = try stage.cluster.leader()
            let alone = generator.pick(stage.cluster.followers(of: leader))
            for member in stage.cluster.members { stage.kill(member) }
            try alone.spawn()
            let lock = "/phantoms/\(generator.next())"
            guard eventually(within: 20, { (try? Socket(connectingTo: alone.port)) != nil }) else {
                throw Failure("nobody listens: \(alone.log)")
            }
            for number in 0..<150 {
                let socket = try Socket.unreading(
                    alone.port, RawRequest.put("\(lock)/\(number)", "value=1&prevExist=false&ttl=60"))
                usleep(5000)
                number % 2 == 0 ? socket.close() : socket.reset()
            }
            for path in ["/health", "/metrics", "/version"] {
                let answer = try alone.client(timeoutSeconds: 5).request("GET", path)
                guard [200, 503].contains(answer.status) else { throw Failure("\(path): \(answer.status)") }
            }
            for member in stage.cluster.members where member !== alone { try member.spawn() }
            for member in stage.cluster.members { try stage.awaitServed(member) }
            let phantoms = try leader.client().get(lock, "quorum=true&recursive=true")
            guard phantoms.status == 404 else {
                throw Failure("clients that had left got what they wanted: \(phantoms.text.prefix(400))")
            }
        },
    ]
}
