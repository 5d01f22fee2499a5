import Logging

/// What SIGHUP makes anew while everything goes on. All of it on the main thread, which has nothing else to do; so it may read files.
struct Reload {
    /// Certificates and whatever else a room of its own keeps from files; each logs what has come of it.
    var hooks: [() -> Void] = []

    /// - Parameter read: the configuration as it is found now; nil when it cannot be read, which `read` has said.
    func run(_ read: () -> ServerConfiguration?) {
        let log = Logger(label: "etcdmain")
        log.notice("received hangup signal, reloading...")
        for problem in ProcessLog.reopen() { log.error("the log goes on in its old file: \(problem)") }
        if let level = read()?.logLevel.loggerLevel, level != LogThreshold.current {
            LogThreshold.current = level
            log.notice("log level = \(level)")
        }
        for hook in hooks { hook() }
    }
}
