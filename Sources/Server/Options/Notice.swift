import Logging

/// A log line that came up before logging was set up; the caller writes it once it is.
package struct Notice: Equatable, Sendable {
    package let level: Logger.Level
    /// The package name etcd would log under, such as `pkg/flags`.
    package let label: String
    package let text: String

    package init(_ level: Logger.Level, _ label: String, _ text: String) {
        self.level = level
        self.label = label
        self.text = text
    }

    static func ignoredFlag(_ name: String) -> Notice {
        Notice(.warning, "pkg/flags", "flag \"-\(name)\" is no longer supported - ignoring.")
    }
}
