import Foundation

/// Requests that are made at the same time, and what came of them.
final class Answers: @unchecked Sendable {
    // `@unchecked`: `got` and `failed` are touched only while `lock` is held.
    private let lock = NSLock()
    private let group = DispatchGroup()
    private var got: [String: HTTPClient.Response] = [:]
    private var failed: [String] = []

    func ask(_ name: String, _ port: UInt16, _ body: @escaping @Sendable (HTTPClient) throws -> HTTPClient.Response) {
        group.enter()
        Thread.detachNewThread {
            do {
                let response = try body(HTTPClient(port: port))
                self.lock.withLock { self.got[name] = response }
            } catch {
                self.lock.withLock { self.failed.append("\(name): \(error)") }
            }
            self.group.leave()
        }
    }

    func all(within seconds: Double) throws -> [(String, HTTPClient.Response)] {
        guard group.wait(timeout: .now() + seconds) == .success else { throw Failure("requests are not answered") }
        return try lock.withLock {
            guard failed.isEmpty else { throw Failure("\(failed)") }
            return got.sorted { $0.key < $1.key }
        }
    }
}
