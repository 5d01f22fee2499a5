import Foundation
import Server

@main
enum Main {
    static func main() {
        EtcliteServer.run(
            arguments: Array(CommandLine.arguments.dropFirst()), environment: ProcessInfo.processInfo.environment)
    }
}
