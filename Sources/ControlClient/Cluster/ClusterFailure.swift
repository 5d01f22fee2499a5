/// Why a request to the cluster has no answer.
enum ClusterFailure: Error, Equatable, CustomStringConvertible {
    /// One place's failure.
    struct Attempt: Equatable {
        let text: String
        /// The place could not be reached at all; decides the exit status of a failed sync.
        let isConnectionError: Bool
    }

    /// All places were tried.
    case unavailable([Attempt])
    /// A request that must not be repeated failed at one place.
    case once(Attempt)
    case deadlineExceeded
    case noEndpoints

    var isConnectionError: Bool {
        switch self {
        case .unavailable(let attempts): attempts.allSatisfy(\.isConnectionError)
        case .once(let attempt): attempt.isConnectionError
        case .deadlineExceeded: true
        case .noEndpoints: false
        }
    }

    var description: String {
        switch self {
        case .unavailable(let attempts):
            "client: etcd cluster is unavailable or misconfigured"
                + attempts.enumerated().map { "; error #\($0): \($1.text)\n" }.joined()
        case .once(let attempt): attempt.text
        case .deadlineExceeded: "context deadline exceeded"
        case .noEndpoints: "client: no endpoints available"
        }
    }

    /// The attempts again, a line each, as etcdctl prints them below its error line.
    var detail: String? {
        guard case .unavailable(let attempts) = self else { return nil }
        return attempts.enumerated().map { "error #\($0): \($1.text)\n" }.joined()
    }
}

/// An answer that is not what was asked for.
enum AnswerFailure: Error, Equatable, CustomStringConvertible {
    /// etcd's own error object.
    case refused(code: Int, message: String, cause: String, index: UInt64)
    /// A refusal with its reason.
    case said(String)
    case unexpectedStatus(Int)
    case emptyBody
    case invalidJSON

    var description: String {
        switch self {
        case .refused(let code, let message, let cause, let index): "\(code): \(message) (\(cause)) [\(index)]"
        case .said(let reason): reason
        case .unexpectedStatus(let status): "unexpected status code \(status)"
        case .emptyBody: "client: response body is empty"
        case .invalidJSON:
            "client: response is invalid json. The endpoint is probably not valid etcd cluster endpoint"
        }
    }
}
