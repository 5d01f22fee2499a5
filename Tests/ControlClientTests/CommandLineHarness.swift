import Discovery
import HTTPTransport
import NIOPosix
import Synchronization

@testable import ControlClient

/// What a command line printed and how it ended.
struct Outcome: Equatable {
    var out = ""
    var err = ""
    var status: Int32 = 0
}

/// Runs one command line with collected output. Time-outs that a busy machine cannot reach, unless `words` set them: of a
/// flag that is given twice the last counts.
func etcdctl(
    _ words: [String], input: String = "", password: String? = nil, environment: [String: String] = [:], style: Style = .plain,
    findTargets: @escaping @Sendable (String) throws -> [ServiceDiscovery.Target] = { _ in [] }
) async -> Outcome {
    let collected = Collected()
    let console = Console(
        out: { text in collected.outcome.withLock { $0.out += text } },
        err: { text in collected.outcome.withLock { $0.err += text } },
        readInput: { Array(input.utf8) },
        readPassword: { _ in password }, style: style)
    let context = ControlContext(
        environment: environment, console: console,
        http: HTTPClient(eventLoop: MultiThreadedEventLoopGroup.singleton.next()), exitOnInterrupt: {}, findTargets: findTargets)
    let status = await CommandLineRunner(context: context).run(["/usr/bin/etcdctl", "--timeout", "60s", "--total-timeout", "60s"] + words)
    return collected.outcome.withLock { outcome in
        outcome.status = status
        return outcome
    }
}

private final class Collected: Sendable {
    let outcome = Mutex(Outcome())
}

/// The answer to `/v2/members` with one member at that URL.
func memberList(_ urls: String...) -> StubServer.Answer {
    let members = urls.enumerated().map { offset, url in
        #"{"id":"a\#(offset)","name":"m\#(offset)","peerURLs":["http://p\#(offset):2380"],"clientURLs":["\#(url)"]}"#
    }
    return .json(200, #"{"members":[\#(members.joined(separator: ","))]}"#)
}

/// A node's answer as etcd writes it.
func nodeAnswer(
    _ action: String = "set", value: String = "v", previous: String? = nil, index: Int = 7
) -> StubServer.Answer {
    let before =
        previous.map { #","prevNode":{"key":"/k","value":"\#($0)","modifiedIndex":3,"createdIndex":3}"# } ?? ""
    let node = #"{"key":"/k","value":"\#(value)","modifiedIndex":\#(index),"createdIndex":\#(index)}"#
    return .json(200, #"{"action":"\#(action)","node":\#(node)\#(before)}"# + "\n", index: index)
}
