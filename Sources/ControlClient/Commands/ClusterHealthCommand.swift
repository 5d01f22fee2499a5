import Foundation
import HTTPTransport

/// `cluster-health` (ctl.md A4): the member list, then each member's own word about itself.
enum ClusterHealthCommand {
    private static let pause = Duration.seconds(10)

    private enum Health {
        case healthy, unhealthy
    }

    @Sendable static func run(_ invocation: Invocation) async throws {
        let isForever = invocation.flags.bool("forever")
        if isForever { invocation.context.exitOnInterrupt() }
        var client = try await invocation.connectWithoutSync()
        let members = try await memberList(invocation, &client)
        while true {
            var healthyCount = 0
            for member in members where await isHealthy(member, invocation) { healthyCount += 1 }
            let verdict =
                healthyCount == 0 ? "unavailable" : healthyCount == members.count ? "healthy" : "degraded"
            let colour: Style.Colour = verdict == "healthy" ? .green : verdict == "degraded" ? .yellow : .red
            invocation.console.line("cluster is \(invocation.console.style.paint(verdict, colour))")
            guard isForever else {
                if healthyCount == 0 || healthyCount < members.count {
                    throw CommandFailure(text: "", status: CommandFailure.clusterNotHealthy)
                }
                return
            }
            invocation.console.out("\nnext check after 10 second...\n\n")
            try await Task.sleep(for: pause)
        }
    }

    private static func memberList(
        _ invocation: Invocation, _ client: inout ClusterClient
    ) async throws -> [Member] {
        do {
            return try await client.members(before: nil)
        } catch {
            invocation.console.line("cluster may be unhealthy: failed to list members")
            guard let failure = error as? ClusterFailure else {
                throw CommandFailure(error: "\(error)", status: CommandFailure.serverError)
            }
            throw CommandFailure(failure, status: CommandFailure.serverError)
        }
    }

    /// Asks at the member's URLs in turn until one answers, and prints what came of it.
    private static func isHealthy(_ member: Member, _ invocation: Invocation) async -> Bool {
        let console = invocation.console
        guard !member.clientURLs.isEmpty else {
            console.line("member \(member.id) is \(console.style.paint("unreachable", .red)): no available published client urls")
            return false
        }
        for url in member.clientURLs {
            do {
                let health = try await health(at: url, invocation)
                let word = health == .healthy ? "healthy" : "unhealthy"
                let painted = console.style.paint(word, health == .healthy ? .green : .red)
                console.line("member \(member.id) is \(painted): got \(word) result from \(url)")
                return health == .healthy
            } catch {
                console.line("failed to check the health of member \(member.id) on \(url): \(error)")
            }
        }
        let urls = member.clientURLs.joined(separator: " ")
        console.line("member \(member.id) is \(console.style.paint("unreachable", .red)): [\(urls)] are all unreachable")
        return false
    }

    /// Unlike etcdctl this has a deadline: a member that accepts and never answers must not hang the check.
    private static func health(at url: String, _ invocation: Invocation) async throws -> Health {
        let timeout = invocation.options.requestTimeout
        let deadlines = HTTPClientDeadlines(head: timeout > .zero ? timeout : nil)
        do {
            let response = try await invocation.context.http.response(
                to: HTTPClientRequest(method: "GET", url: HTTPURL(parsing: url + "/health"), deadlines: deadlines))
            return try health(in: response.body)
        } catch let error as HTTPClientError {
            throw HealthError(description: "Get \"\(url)/health\": \(error)")
        }
    }

    /// `{"health":"true"}`; older servers send the bare truth value.
    private static func health(in body: [UInt8]) throws -> Health {
        let data = Data(body)
        if let answer = try? JSONDecoder().decode([String: String].self, from: data) {
            return answer["health"] == "true" ? .healthy : .unhealthy
        }
        if let answer = try? JSONDecoder().decode([String: Bool].self, from: data) {
            return answer["health"] == true ? .healthy : .unhealthy
        }
        throw AnswerFailure.invalidJSON
    }

    private struct HealthError: Error, CustomStringConvertible {
        let description: String
    }
}
