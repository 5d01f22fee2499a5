import HTTPTransport
import NIOCore
import ReplicaHost

/// `/debug/vars` and `/config/local/log` (server.md §5.1).
struct DebugEndpoint {
    let configuration: ClientAPIConfiguration

    func respondWithVariables(of status: ReplicaStatus, on exchange: HTTPExchange) {
        let figures = ProcessFigures()
        var body = ByteBuffer()
        body.writeStaticString("{\n\"cmdline\": ")
        body.writeStrings(configuration.commandLine)
        body.writeString(",\n\"file_descriptor_limit\": \(figures.descriptorLimit)")
        body.writeString(",\n\"memstats\": {\"Sys\":\(figures.virtualBytes),\"HeapInuse\":\(figures.residentBytes)}")
        let state = status.isLeader ? "StateLeader" : "StateFollower"
        body.writeString(",\n\"raft.status\": {\"id\":\"\(String(status.memberID, radix: 16))\",\"term\":\(status.term)")
        body.writeString(",\"commit\":\(status.commitIndex),\"lead\":\"\(String(status.leader, radix: 16))\"")
        body.writeString(",\"raftState\":\"\(state)\",\"applied\":\(status.appliedIndex)}\n}\n")
        exchange.respond(.ok, .json, body: body)
    }

    /// `{"Level":"DEBUG"}`.
    func setLogLevel(_ request: HTTPRequest, on exchange: HTTPExchange) {
        guard request.bodyState != .tooLarge, let json = try? JSONValue.parse(request.body.readableBytesUInt8Span.array)
        else { return PlainAnswers.message(exchange, .badRequest, "Invalid json body") }
        var level = ""
        if case .some(.string(let name)) = json["Level"] { level = String(decoding: name, as: UTF8.self) }
        if configuration.setLogLevel(level.uppercased()) {
            exchange.respond(.noContent, nil)
        } else {
            PlainAnswers.message(exchange, .badRequest, "Invalid log level \(level)")
        }
    }
}
