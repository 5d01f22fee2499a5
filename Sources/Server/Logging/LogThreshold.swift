import Logging
import Synchronization

/// The level below which no log line of the process is written. May change while it runs (`PUT /config/local/log`).
package enum LogThreshold {
    private static let place = Atomic<Int>(places[.info] ?? 0)
    private static let levels = Logger.Level.allCases
    private static let places = Dictionary(uniqueKeysWithValues: levels.enumerated().map { ($1, $0) })

    package static var current: Logger.Level {
        get { levels[place.load(ordering: .relaxed)] }
        set { place.store(places[newValue] ?? 0, ordering: .relaxed) }
    }

    /// - Parameter name: in upper case, by one of the names that etcd's log library knows; its most severe level is our critical.
    /// - Returns: false when there is none of that name; nothing changes then.
    package static func set(named name: String) -> Bool {
        let level: Logger.Level
        switch name {
        case "CRITICAL", "C": level = .critical
        case "ERROR", "0", "E": level = .error
        case "WARNING", "1", "W": level = .warning
        case "NOTICE", "2", "N": level = .notice
        case "INFO", "3", "I": level = .info
        case "DEBUG", "4", "D": level = .debug
        case "TRACE", "5", "T": level = .trace
        default: return false
        }
        current = level
        Logger(label: "etcdserver/api/etcdhttp").notice("globalLogLevel set to \"\(level.capnslogName)\"")
        return true
    }
}

extension Logger.Level {
    /// As etcd 3.4 calls it.
    fileprivate var capnslogName: String { rawValue.uppercased() }
}
