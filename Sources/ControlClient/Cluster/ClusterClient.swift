import HTTPTransport

/// Sends requests to whichever endpoint answers, as etcd's Go client does: in random order, and from then on to the
/// one that worked.
struct ClusterClient: Sendable {
    /// A listing is as long as the tree below it.
    private static let bodyBytesMax = 1 << 30
    private static let redirectsMax = 10

    private(set) var endpoints: [HTTPURL]
    /// Index of the endpoint that answered last.
    private var preferred = 0
    private let http: HTTPClient
    private let options: GlobalOptions
    private let console: Console
    private let authorization: String?

    /// - Parameter authorization: the value of that header, if there is a user.
    init(
        endpoints: [HTTPURL], http: HTTPClient, options: GlobalOptions, console: Console, authorization: String?
    ) {
        self.endpoints = endpoints.shuffled()
        self.http = http
        self.options = options
        self.console = console
        self.authorization = authorization
    }

    /// How the endpoints are shown.
    func endpointList(separator: String = ",") -> String {
        endpoints.map(\.text).joined(separator: separator)
    }

    /// Replaces the endpoints by those that the members publish; keeps them when they are the same.
    ///
    /// - Throws: `ClusterFailure`, also for an empty list, or `AnswerFailure`.
    mutating func sync(before deadline: ContinuousClock.Instant?) async throws {
        let published = try await members(before: deadline).flatMap(\.clientURLs)
        guard published.sorted() != endpoints.map(\.text).sorted() else { return }
        guard !published.isEmpty else { throw ClusterFailure.noEndpoints }
        endpoints = try published.map { url throws(HTTPClientError) in try HTTPURL(parsing: url) }.shuffled()
        preferred = 0
    }

    /// - Parameter deadline: for all attempts together; nil for none.
    /// - Throws: `ClusterFailure`.
    mutating func response(
        to request: ClusterRequest, before deadline: ContinuousClock.Instant?
    ) async throws -> HTTPClientResponse {
        var attempts: [ClusterFailure.Attempt] = []
        for offset in endpoints.indices {
            let index = (preferred + offset) % endpoints.count
            let endpoint = endpoints[index]
            do {
                let response = try await followingRedirects(request, at: endpoint, before: deadline)
                let isAnswer = request.takesReasons && Self.isDecision(response)
                guard !isAnswer, let text = Self.serverFailure(response.status, at: endpoint) else {
                    preferred = index
                    return response
                }
                attempts.append(ClusterFailure.Attempt(text: text, isConnectionError: false))
                if request.isOnce { break }
            } catch let error as HTTPClientError {
                if case .timedOut(.total, _) = error { throw ClusterFailure.deadlineExceeded }
                attempts.append(Self.attempt(error, at: endpoint))
                // A request that never left may go elsewhere, whatever it does.
                if request.isOnce, !error.isConnectFailure { break }
            } catch let failure as ClusterFailure {
                guard case .once(let attempt) = failure else { throw failure }
                attempts.append(attempt)
                if request.isOnce { break }
            }
        }
        if request.isOnce, let last = attempts.last { throw ClusterFailure.once(last) }
        throw attempts.isEmpty ? ClusterFailure.noEndpoints : ClusterFailure.unavailable(attempts)
    }

    private func followingRedirects(
        _ request: ClusterRequest, at endpoint: HTTPURL, before deadline: ContinuousClock.Instant?
    ) async throws -> HTTPClientResponse {
        func failure(_ text: String) -> ClusterFailure {
            .once(ClusterFailure.Attempt(text: text, isConnectionError: false))
        }
        var url = endpoint.with(target: request.target(below: endpoint.target))
        for _ in 0...Self.redirectsMax {
            let response = try await send(request, to: url, endpoint: endpoint, before: deadline)
            guard response.status / 100 == 3 else { return response }
            guard let location = response.headers["Location"] else { throw failure("location header not set") }
            do {
                url = try HTTPURL(parsing: location)
            } catch {
                throw failure("location header not valid URL: \(location)")
            }
        }
        throw failure("client: too many redirects")
    }

    private func send(
        _ request: ClusterRequest, to url: HTTPURL, endpoint: HTTPURL, before deadline: ContinuousClock.Instant?
    ) async throws -> HTTPClientResponse {
        let body = request.bodyText
        if options.isDebug {
            let data = body.map { " -d \"\($0)\"" } ?? ""
            console.errorLine("cURL Command: curl -X \(request.method) \(Self.shown(url, at: endpoint))\(data)")
        }
        var headers: HTTPClientHeaders = ["User-Agent": "etclitectl"]
        if request.method != "GET" {
            headers.append("Content-Type", request.json == nil ? "application/x-www-form-urlencoded" : "application/json")
        }
        if let authorization { headers.append("Authorization", authorization) }
        var deadlines = HTTPClientDeadlines()
        if let deadline { deadlines.total = ContinuousClock.now.duration(to: deadline) }
        if !request.isWait, options.requestTimeout > .zero { deadlines.head = options.requestTimeout }
        return try await http.response(
            to: HTTPClientRequest(
                method: request.method, url: url, headers: headers, body: body.map { Array($0.utf8) },
                deadlines: deadlines),
            bodyBytesMax: Self.bodyBytesMax)
    }

    /// Hands over an answer of any length as it comes. The next endpoint is asked only when one could not be reached.
    ///
    /// - Throws: `ClusterFailure`, or what `consume` throws.
    func withAnswer<Value: Sendable>(
        to path: String, _ consume: (HTTPClientResponseHead, HTTPClientBody) async throws -> Value
    ) async throws -> Value {
        var attempts: [ClusterFailure.Attempt] = []
        for endpoint in endpoints {
            var headers: HTTPClientHeaders = ["User-Agent": "etclitectl"]
            if let authorization { headers.append("Authorization", authorization) }
            do {
                return try await http.withResponse(
                    to: HTTPClientRequest(method: "GET", url: endpoint.with(target: path), headers: headers), consume)
            } catch let error as HTTPClientError {
                attempts.append(Self.attempt(error, at: endpoint))
                guard error.isConnectFailure else { break }
            }
        }
        throw ClusterFailure.unavailable(attempts)
    }

    private static func shown(_ url: HTTPURL, at endpoint: HTTPURL) -> String {
        switch url.address {
        case .host: "\(url.scheme)://\(url.hostHeader)\(url.target)"
        case .unixSocket: endpoint.text + url.target
        }
    }

    private static func attempt(_ error: HTTPClientError, at endpoint: HTTPURL) -> ClusterFailure.Attempt {
        switch error {
        case .timedOut(.head, _):
            let text = "client: endpoint \(endpoint.text) exceeded header timeout"
            return ClusterFailure.Attempt(text: text, isConnectionError: false)
        // As in Go: what the encryption has to say is no error of the connection.
        case .connectionBroken(let reason) where reason.hasPrefix("remote error: tls"):
            return ClusterFailure.Attempt(text: error.description, isConnectionError: false)
        case .connectFailed, .timedOut(.connect, _), .connectionBroken:
            return ClusterFailure.Attempt(text: error.description, isConnectionError: true)
        default: return ClusterFailure.Attempt(text: error.description, isConnectionError: false)
        }
    }

    /// What a 5xx answer means to the client; nil for all others.
    private static func serverFailure(_ status: Int, at endpoint: HTTPURL) -> String? {
        switch status {
        case 500, 503: "client: etcd member \(endpoint.text) has no leader"
        case 500..<600: "client: etcd member \(endpoint.text) returns server error [\(reason(of: status))]"
        default: nil
        }
    }

    /// Go's `http.StatusText` for the statuses that mean trouble on the way.
    private static func reason(of status: Int) -> String {
        switch status {
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 507: "Insufficient Storage"
        case 511: "Network Authentication Required"
        default: ""
        }
    }
}
