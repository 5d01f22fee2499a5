import HTTPTransport
import Logging
import NIOCore

/// The client URLs of the members, and which of them can be tried. Confined to the proxy's loop.
package final class ProxyEndpoints {
    package struct Endpoint: Sendable {
        package let url: HTTPURL
        /// Left out until then.
        fileprivate(set) var isSetAsideUntil: NIODeadline?
    }

    private(set) var all: [Endpoint] = []
    private let failureWait: TimeAmount
    private let log: Logger
    private var hasBeenFound = false
    private var isEmptinessTold = false

    init(failureWait: TimeAmount, log: Logger) {
        self.failureWait = failureWait
        self.log = log
    }

    /// In the order in which they are to be tried.
    package func available(at now: NIODeadline = .now()) -> [HTTPURL] {
        for place in all.indices {
            guard let end = all[place].isSetAsideUntil, end <= now else { continue }
            all[place].isSetAsideUntil = nil
            log.info("marked endpoint \(all[place].url.text) available")
        }
        let urls = all.filter { $0.isSetAsideUntil == nil }.map(\.url)
        if urls.isEmpty, !isEmptinessTold { log.warning("zero endpoints currently available") }
        isEmptinessTold = urls.isEmpty
        return urls
    }

    /// The members as they are now, in random order, so that proxies do not all lean on one. What failed a moment ago stays left out.
    func replace(_ texts: [String]) {
        let setAside = Dictionary(all.map { ($0.url.text, $0.isSetAsideUntil) }, uniquingKeysWith: { first, _ in first })
        all = texts.shuffled().compactMap { text in
            do throws(HTTPClientError) {
                return Endpoint(url: try HTTPURL(parsing: text), isSetAsideUntil: setAside[text] ?? nil)
            } catch {
                log.warning("a member publishes the client URL \(text), which cannot be used: \(error)")
                return nil
            }
        }
        guard !hasBeenFound, !all.isEmpty else { return }
        hasBeenFound = true
        log.info("endpoints found [\(all.map { "\"\($0.url.text)\"" }.joined(separator: " "))]")
    }

    /// A request could not be directed there.
    func setAside(_ url: HTTPURL, because reason: String, at now: NIODeadline = .now()) {
        guard let place = all.firstIndex(where: { $0.url == url }), all[place].isSetAsideUntil == nil else { return }
        log.warning("failed to direct request to \(url.text): \(reason)")
        guard failureWait > .zero else { return }
        all[place].isSetAsideUntil = now + failureWait
        log.info("marked endpoint \(url.text) unavailable for \(failureWait.nanoseconds / 1_000_000) ms")
    }
}
