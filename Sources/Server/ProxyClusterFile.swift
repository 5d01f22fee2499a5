import Foundation
import Storage

/// `<data-dir>/proxy/cluster`: the peer URLs of the cluster behind a proxy, as etcd writes them (server.md §9.1).
struct ProxyClusterFile: Sendable {
    private let directory: String

    var path: String { directory + "/cluster" }

    private static let bytesMax = 1 << 20

    private struct Content: Codable {
        let PeerURLs: [String]
    }

    init(_ dataDirectory: String) { directory = dataDirectory + "/proxy" }

    /// Makes the directory, by which the next start knows that a proxy lives here.
    func prepare() throws(StorageError) { try FileOperations.makeDirectories(directory) }

    /// Nil when there is none yet.
    ///
    /// - Throws: `StartupFailure` for one that cannot be read: the proxy would otherwise go to another cluster than before.
    func read() throws(StartupFailure) -> [String]? {
        switch Surroundings.live.readFile(path) {
        case .text(let text):
            do {
                return try JSONDecoder().decode(Content.self, from: Data(text.utf8)).PeerURLs
            } catch {
                throw .fatal("cluster file \(path) cannot be read; remove it, and the proxy asks the cluster that the flags name")
            }
        case .failed(let reason):
            guard FileOperations.exists(path) else { return nil }
            throw .fatal("open \(path): \(reason)")
        }
    }

    /// The old or the new list is there whatever happens.
    func write(_ peers: [String]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let new = path + ".bak"
        try encoder.encode(Content(PeerURLs: peers)).write(to: URL(fileURLWithPath: new))
        try FileOperations.synchronize(new)
        try FileOperations.rename(new, to: path)
    }
}
