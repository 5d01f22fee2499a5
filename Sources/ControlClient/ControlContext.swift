import HTTPTransport

/// What a command finds around it. Tests put other things here.
struct ControlContext: Sendable {
    let environment: [String: String]
    let console: Console
    let http: HTTPClient
    /// From here on Ctrl-C is the normal end and the exit status is 0.
    let exitOnInterrupt: @Sendable () -> Void
}
