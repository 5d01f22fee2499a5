import Foundation
import HTTPTransport

/// The keys of a discovery token, and what the service answers (cluster.md §7.1).
struct DiscoveryKeys: Sendable {
    /// The directory: scheme, server and path of the URL.
    let directory: HTTPURL
    let http: HTTPClient

    /// Nobody answers, or somebody who cannot serve now.
    struct Unreachable: Error {
        let reason: String
    }

    struct Registration: Equatable, Sendable {
        /// Identity of the member as the key tells it.
        let id: String
        /// `name=url`, several joined with commas.
        let value: String
        let createdIndex: UInt64
    }

    struct State: Equatable, Sendable {
        let size: Int
        /// In the order in which they came.
        let registered: [Registration]
        /// Of the service's store, when the directory was read.
        let index: UInt64
    }

    /// For everything but a wait.
    private static let seconds = 5
    /// A service that is gone without a word is noticed by asking anew.
    private static let waitSeconds = 300
    private static let bodyBytesMax = 4 << 20
    /// Of a cluster: far more than anybody runs.
    private static let sizeMax = 10_000

    private struct Node: Decodable {
        let key: String?
        let value: String?
        let dir: Bool?
        let nodes: [Node]?
        let createdIndex: UInt64?

        var name: String { key.map { String($0.split(separator: "/").last ?? "") } ?? "" }
    }

    private struct Answer: Decodable {
        let node: Node?
        let errorCode: Int?
        let message: String?
        let cause: String?
        let index: UInt64?

        var refusal: DiscoveryFailure {
            .refused("\(errorCode ?? 0): \(message ?? "") (\(cause ?? "")) [\(index ?? 0)]")
        }
    }

    func state() async throws -> State {
        let (size, _) = try await ask("GET", "/_config/size?quorum=false&recursive=false&sorted=false")
        if size.errorCode == 100 { throw DiscoveryFailure.sizeKeyNotFound }
        guard let text = size.node?.value else { throw size.errorCode == nil ? DiscoveryFailure.badEndpoint : size.refusal }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(text), (1...Self.sizeMax).contains(count) else {
            throw DiscoveryFailure.sizeKeyIsBad
        }
        let (listing, index) = try await ask("GET", "?quorum=false&recursive=false&sorted=false")
        guard let node = listing.node else { throw listing.refusal }
        guard node.dir == true else { throw DiscoveryFailure.badEndpoint }
        let registered = (node.nodes ?? []).filter { $0.name != "_config" }.map {
            Registration(id: $0.name, value: $0.value ?? "", createdIndex: $0.createdIndex ?? 0)
        }
        return State(size: count, registered: registered.sorted { $0.createdIndex < $1.createdIndex }, index: index)
    }

    /// - Returns: False when the key was there already.
    func register(_ id: String, _ value: String) async throws -> Bool {
        let (answer, _) = try await ask("PUT", "/\(id)?prevExist=false", form: "value=\(Self.escaped(value))")
        if answer.errorCode == 105 { return false }
        guard answer.errorCode == nil else { throw answer.refusal }
        return true
    }

    /// Returns when something may have changed below the directory since `index`.
    func waitForChange(after index: UInt64) async throws {
        let target = "?quorum=false&recursive=true&sorted=false&wait=true&waitIndex=\(index &+ 1)"
        do throws(HTTPClientError) {
            _ = try await send("GET", target, seconds: Self.waitSeconds)
        } catch {
            // Long enough. The caller looks at what is there, and comes again.
            if case .timedOut(.total, _) = error { return }
            throw Unreachable(reason: error.description)
        }
    }

    private func ask(_ method: String, _ target: String, form: String? = nil) async throws -> (Answer, index: UInt64) {
        let response: HTTPClientResponse
        do throws(HTTPClientError) {
            response = try await send(method, target, form: form, seconds: Self.seconds)
        } catch {
            throw Unreachable(reason: error.description)
        }
        guard response.status < 500 else { throw Unreachable(reason: "status \(response.status)") }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body)) else { throw DiscoveryFailure.badEndpoint }
        if answer.node == nil, answer.errorCode == nil {
            throw answer.message.map { DiscoveryFailure.refused($0) } ?? .badEndpoint
        }
        return (answer, response.headers["X-Etcd-Index"].flatMap { UInt64($0) } ?? 0)
    }

    private func send(
        _ method: String, _ target: String, form: String? = nil, seconds: Int
    ) async throws(HTTPClientError) -> HTTPClientResponse {
        var headers = HTTPClientHeaders()
        if form != nil { headers.append("Content-Type", "application/x-www-form-urlencoded") }
        let deadlines = HTTPClientDeadlines(connect: .seconds(Self.seconds), total: .seconds(seconds))
        let request = HTTPClientRequest(
            method: method, url: directory.appending(target), headers: headers, body: form.map { Array($0.utf8) }, deadlines: deadlines)
        do {
            return try await http.response(to: request, bodyBytesMax: Self.bodyBytesMax)
        } catch let error as HTTPClientError {
            throw error
        } catch {
            // Cancelled: nobody listens any more.
            throw .connectionBroken(reason: "\(error)")
        }
    }

    /// For a form: everything but letters, digits and a few signs.
    private static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                String(UnicodeScalar(byte))
            default: "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 0xf)])"
            }
        }.joined()
    }
}
