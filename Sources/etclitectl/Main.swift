import ControlClient
import Foundation
import ProcessStart

/// The command-line client.
@main
struct Main {
    static func main() async {
        StandardDescriptors.open()
        guard let arguments = ProcessArguments.all else {
            StandardDescriptors.writeError("etclitectl: " + ProcessArguments.unknown)
            exit(1)
        }
        exit(await runControlClient(arguments: arguments, environment: ProcessInfo.processInfo.environment))
    }
}
