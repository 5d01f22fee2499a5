import Foundation
import ProcessStart
import Server

@main
enum Main {
    static func main() {
        StandardDescriptors.open()
        guard let arguments = ProcessArguments.all else {
            StandardDescriptors.writeError("etclite: " + ProcessArguments.unknown)
            exit(1)
        }
        EtcliteServer.run(arguments: Array(arguments.dropFirst()), environment: ProcessInfo.processInfo.environment)
    }
}
