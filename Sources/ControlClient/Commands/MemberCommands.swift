/// The `member` commands (ctl.md A4).
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
        if invocation.console.style.isTerminal { return invocation.console.out(table(members, leader: leader.id, invocation.console.style)) }
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

    private static func table(_ members: [Member], leader: String, _ style: Style) -> String {
        let rows = members.map { member in
            let state = member.name.isEmpty ? "unstarted" : member.id == leader ? "leader" : "follower"
            return [member.id, member.name, state, member.peerURLs.joined(separator: ","), member.clientURLs.joined(separator: ",")]
        }
        return Style.table(["ID", "NAME", "STATE", "PEER URLS", "CLIENT URLS"], rows) { cell, _ in
            switch cell {
            case "leader": style.paint(cell, .green)
            case "unstarted": style.paint(cell, .yellow)
            default: cell
            }
        }
    }

    /// Prints what the new member is to be started with.
    @Sendable static func add(_ invocation: Invocation) async throws {
        guard invocation.arguments.count == 2, let name = invocation.arguments.first, let url = invocation.arguments.last else {
            throw CommandFailure(lines: "Provide a name and a single member peerURL")
        }
        if let problem = GoText.problem(ofMemberURL: url) { throw CommandFailure(lines: problem) }
        var client = try await invocation.connect()
        let added: Member
        let members: [Member]
        do {
            added = try await client.addMember(peerURLs: [url], before: invocation.deadline)
            members = try await client.members(before: invocation.deadline)
        } catch {
            throw CommandFailure(lines: "\(error)")
        }
        let cluster = members.flatMap { member in
            member.peerURLs.map { (member.id == added.id ? name : member.name) + "=" + $0 }
        }
        invocation.console.out(
            """
            Added member named \(name) with ID \(added.id) to cluster

            ETCD_NAME="\(name)"
            ETCD_INITIAL_CLUSTER="\(cluster.joined(separator: ","))"
            ETCD_INITIAL_CLUSTER_STATE="existing"\n
            """)
    }

    @Sendable static func remove(_ invocation: Invocation) async throws {
        guard invocation.arguments.count == 1, let id = invocation.arguments.first else {
            throw CommandFailure(lines: "Provide a single member ID")
        }
        var client = try await invocation.connect()
        let members: [Member]
        do {
            members = try await client.members(before: invocation.deadline)
        } catch {
            throw CommandFailure(lines: "Error while verifying ID against known members: \(error)")
        }
        guard members.contains(where: { $0.id == id }) else {
            let hints = members.filter { $0.name == id }.map { namesake in
                """
                Found a member named \(namesake.name); if this is correct, please use its ID, eg:
                \tetcdctl member remove \(namesake.id)
                For more details, read the documentation at https://etcd.io/docs/v2.3/runtime-configuration/#remove-a-member\n\n
                """
            }
            throw CommandFailure(lines: hints.joined() + "Couldn't find a member in the cluster with an ID of \(id).")
        }
        do {
            try await client.removeMember(id, before: invocation.deadline)
        } catch {
            throw CommandFailure(text: "Received an error trying to remove member \(id): \(error)", status: CommandFailure.badArguments)
        }
        invocation.console.line("Removed member \(id) from cluster")
    }

    @Sendable static func update(_ invocation: Invocation) async throws {
        guard invocation.arguments.count == 2, let id = invocation.arguments.first, let list = invocation.arguments.last else {
            throw CommandFailure(
                lines: "Provide an ID and a list of comma separated peerURL (0xabcd http://example.com,http://example1.com)")
        }
        let urls = list.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
        if let problem = urls.lazy.compactMap({ GoText.problem(ofMemberURL: $0) }).first { throw CommandFailure(lines: problem) }
        var client = try await invocation.connect()
        do {
            try await client.updateMember(id, peerURLs: urls, before: invocation.deadline)
        } catch {
            throw CommandFailure(lines: "\(error)")
        }
        invocation.console.line("Updated member with ID \(id) in cluster")
    }
}
