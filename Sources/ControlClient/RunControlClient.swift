import HTTPTransport
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Runs one command line of the client with the process's own streams (ctl.md, part A).
///
/// - Parameter arguments: the program's name first.
/// - Returns: the exit status.
package func runControlClient(arguments: [String], environment: [String: String]) async -> Int32 {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let context = ControlContext(
        environment: environment, console: .standard(environment), http: HTTPClient(eventLoop: group.next()),
        exitOnInterrupt: { signal(SIGINT) { _ in _exit(0) } })
    let status = await CommandLineRunner(context: context).run(arguments)
    try? await group.shutdownGracefully()
    return status
}
