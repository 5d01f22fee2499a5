import Foundation
import HTTPTransport
import NIOPosix
import Recovery
import Storage
import TLS

/// A hot backup over HTTP: `GET /etclite/backup`, written as it comes and verified at the end.
struct BackupDownload {
    let endpoint: String
    let tls: TLSSettings
    /// `name:password`; nil: nobody is named.
    let credentials: String?

    func run(to path: String, progress: @escaping ProgressReport) async throws -> BackupManifest {
        let incoming = try IncomingBackup(to: path)
        do {
            let url = try HTTPURL(parsing: endpoint).with(target: "/etclite/backup")
            let stateHash = try await receive(url, into: incoming, progress)
            return try incoming.finish(stateHash: stateHash)
        } catch {
            incoming.abandon()
            if let error = error as? RecoveryError { throw error }
            throw RecoveryError.cannotLook("\(endpoint): \(error)")
        }
    }

    private func receive(
        _ url: HTTPURL, into incoming: IncomingBackup, _ progress: ProgressReport
    ) async throws -> String? {
        let policy = tls.isEmpty ? .system : try TLSPolicy(tls)
        let client = HTTPClient(eventLoop: MultiThreadedEventLoopGroup.singleton.next(), tls: policy)
        var headers = HTTPClientHeaders()
        if let credentials { headers.append("Authorization", "Basic " + Data(credentials.utf8).base64EncodedString()) }
        return try await client.withResponse(to: HTTPClientRequest(method: "GET", url: url, headers: headers)) { head, body in
            guard head.status == 200 else {
                throw RecoveryError.cannotLook("\(endpoint): the server answers \(head.status) \(head.reason)")
            }
            let expected = head.headers["Content-Length"].flatMap { UInt64($0) }
            var received: UInt64 = 0
            for try await chunk in body {
                try incoming.append(chunk)
                received += UInt64(chunk.count)
                progress("receiving bytes", received, expected)
            }
            return head.headers["X-Etclite-State-Hash"]
        }
    }
}
