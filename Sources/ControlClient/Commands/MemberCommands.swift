/// `member list` (ctl.md A4).
enum MemberCommands {
    @Sendable static func list(_ invocation: Invocation) async throws {
        guard invocation.arguments.isEmpty else { throw CommandFailure(lines: "No arguments accepted") }
        var client = try await invocation.connect()
        let deadline = invocation.deadline
        let members: [Member]
        do {
            members = try await client.members(before: deadline)
        } catch {
            throw CommandFailure(lines: "\(error)")
        }
        let leader: Member
        do {
            leader = try await client.leader(before: deadline)
        } catch {
            throw CommandFailure(lines: "Failed to get leader:  \(error)")
        }
        for member in members {
            let peerURLs = member.peerURLs.joined(separator: ",")
            if member.name.isEmpty {
                invocation.console.line("\(member.id)[unstarted]: peerURLs=\(peerURLs)")
            } else {
                let clientURLs = member.clientURLs.joined(separator: ",")
                invocation.console.line(
                    "\(member.id): name=\(member.name) peerURLs=\(peerURLs) clientURLs=\(clientURLs) "
                        + "isLeader=\(member.id == leader.id)")
            }
        }
    }
}
