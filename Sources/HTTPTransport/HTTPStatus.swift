/// Status lines, whole, so that an answer copies one piece.
package struct HTTPStatus: Equatable, Sendable {
    package let code: UInt16

    package init(_ code: UInt16) { self.code = code }

    package static let ok = HTTPStatus(200)
    package static let created = HTTPStatus(201)
    package static let noContent = HTTPStatus(204)
    package static let movedPermanently = HTTPStatus(301)
    package static let badRequest = HTTPStatus(400)
    package static let unauthorized = HTTPStatus(401)
    package static let forbidden = HTTPStatus(403)
    package static let notFound = HTTPStatus(404)
    package static let methodNotAllowed = HTTPStatus(405)
    package static let conflict = HTTPStatus(409)
    package static let gone = HTTPStatus(410)
    package static let preconditionFailed = HTTPStatus(412)
    package static let unsupportedMediaType = HTTPStatus(415)
    package static let misdirectedRequest = HTTPStatus(421)
    package static let internalServerError = HTTPStatus(500)
    package static let notImplemented = HTTPStatus(501)
    package static let payloadTooLarge = HTTPStatus(413)
    package static let badGateway = HTTPStatus(502)
    package static let serviceUnavailable = HTTPStatus(503)

    /// Answers of these codes have no body whatever their fields say (RFC 9110 §6.4.1).
    package var hasNoBody: Bool { code == 204 || code == 304 }

    /// The code with its name, and the end of the line; nil for codes that nobody has asked for here.
    var rest: StaticString? {
        switch code {
        case 200: "200 OK\r\n"
        case 201: "201 Created\r\n"
        case 202: "202 Accepted\r\n"
        case 204: "204 No Content\r\n"
        case 301: "301 Moved Permanently\r\n"
        case 302: "302 Found\r\n"
        case 304: "304 Not Modified\r\n"
        case 307: "307 Temporary Redirect\r\n"
        case 308: "308 Permanent Redirect\r\n"
        case 400: "400 Bad Request\r\n"
        case 401: "401 Unauthorized\r\n"
        case 403: "403 Forbidden\r\n"
        case 404: "404 Not Found\r\n"
        case 405: "405 Method Not Allowed\r\n"
        case 409: "409 Conflict\r\n"
        case 410: "410 Gone\r\n"
        case 412: "412 Precondition Failed\r\n"
        case 413: "413 Request Entity Too Large\r\n"
        case 415: "415 Unsupported Media Type\r\n"
        case 417: "417 Expectation Failed\r\n"
        case 421: "421 Misdirected Request\r\n"
        case 431: "431 Request Header Fields Too Large\r\n"
        case 500: "500 Internal Server Error\r\n"
        case 501: "501 Not Implemented\r\n"
        case 502: "502 Bad Gateway\r\n"
        case 503: "503 Service Unavailable\r\n"
        case 504: "504 Gateway Timeout\r\n"
        case 505: "505 HTTP Version Not Supported\r\n"
        default: nil
        }
    }
}

/// The content types the server sends.
package enum HTTPContentType: Sendable {
    case json
    case text
    case html
    case prometheus
    case octetStream

    var line: StaticString {
        switch self {
        case .json: "Content-Type: application/json\r\n"
        case .text: "Content-Type: text/plain; charset=utf-8\r\n"
        case .html: "Content-Type: text/html; charset=utf-8\r\n"
        case .prometheus: "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        case .octetStream: "Content-Type: application/octet-stream\r\n"
        }
    }
}
