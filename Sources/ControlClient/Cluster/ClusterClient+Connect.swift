import Discovery
import Foundation
import HTTPTransport
import NIOPosix

extension Invocation {
    /// The client for the given endpoints, synced with the cluster unless that is switched off (ctl.md A1).
    ///
    /// A sync that fails for another reason than the connection is forgiven: the endpoints as given may still work.
    ///
    /// - Throws: `CommandFailure`.
    func connect() async throws -> ClusterClient {
        var client = try await unsyncedClient()
        if !options.skipsSync {
            let given = client.endpointList()
            debug("start to sync cluster using endpoints(\(given))")
            do {
                try await client.sync(before: deadline)
            } catch ClusterFailure.noEndpoints {
                console.errorLine("etcd cluster has no published client endpoints.")
                console.errorLine(
                    "Try '--no-sync' if you want to access non-published client endpoints(\(given)).")
                throw CommandFailure(ClusterFailure.noEndpoints, status: CommandFailure.serverError)
            } catch let failure as ClusterFailure where failure.isConnectionError {
                throw CommandFailure(failure, status: CommandFailure.badConnection)
            } catch is ClusterFailure {
            } catch is AnswerFailure {
            } catch is HTTPClientError {
            }
            debug("got endpoints(\(client.endpointList())) after sync")
        }
        debug("Cluster-Endpoints: \(client.endpointList(separator: ", "))")
        return client
    }

    /// The same without the sync.
    func connectWithoutSync() async throws -> ClusterClient {
        let client = try await unsyncedClient()
        debug("Cluster-Endpoints: \(client.endpointList(separator: ", "))")
        return client
    }

    /// When a request of this command must be answered.
    var deadline: ContinuousClock.Instant { ContinuousClock.now + options.totalTimeout }

    private func debug(_ line: String) {
        if options.isDebug { console.errorLine(line) }
    }

    private func unsyncedClient() async throws -> ClusterClient {
        var texts = try await discoveredEndpoints()
        if texts.isEmpty { texts = options.endpoints }
        let endpoints = try texts.filter { !$0.isEmpty }.map(Self.parse)
        guard !endpoints.isEmpty else {
            throw CommandFailure(ClusterFailure.noEndpoints, status: CommandFailure.badArguments)
        }
        return ClusterClient(
            endpoints: endpoints, http: context.http, options: options, console: console,
            authorization: try authorization())
    }

    /// What the records of the domain say, without what is not secure unless that is wanted, too.
    private func discoveredEndpoints() async throws -> [String] {
        guard let domain = options.discoveryDomain else { return [] }
        let find = context.findTargets
        let found: [ServiceDiscovery.Target]
        do {
            // It blocks.
            found = try await NIOThreadPool.singleton.runIfActive { try find(domain) }
        } catch let failure as ServiceDiscovery.Failure {
            throw CommandFailure(lines: failure.description)
        }
        let (taken, ignored) = ServiceDiscovery.secure(found, orAny: options.isInsecureDiscoveryAllowed)
        for line in ignored { console.errorLine(line) }
        return taken.map(\.url)
    }

    /// `http://` may be left out.
    private static func parse(_ endpoint: String) throws -> HTTPURL {
        do throws(HTTPClientError) {
            return try HTTPURL(parsing: endpoint.contains("://") ? endpoint : "http://" + endpoint)
        } catch {
            switch error {
            case .unsupportedScheme:
                let attempt = ClusterFailure.Attempt(text: error.description, isConnectionError: false)
                throw CommandFailure(ClusterFailure.unavailable([attempt]), status: CommandFailure.serverError)
            default: throw CommandFailure(lines: error.description)
            }
        }
    }

    private func authorization() throws -> String? {
        guard let username = options.username else { return nil }
        var credentials = username
        if !username.contains(":") {
            guard let password = console.readPassword("Password: ") else { throw CommandFailure(lines: "EOF") }
            credentials += ":" + password
        }
        return "Basic " + Data(credentials.utf8).base64EncodedString()
    }
}
