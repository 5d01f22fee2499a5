import ControlClient
import Foundation

/// The command-line client.
@main
struct Main {
    static func main() async {
        exit(
            await runControlClient(
                arguments: CommandLine.arguments, environment: ProcessInfo.processInfo.environment))
    }
}
