import HTTPTransport
import NIOCore
import ReplicaHost

/// `/v2/stats/...` (v2-keys.md §14): one line of JSON each, no newline.
final class StatsEndpoint {
    private let replica: any ReplicaDoor

    init(replica: any ReplicaDoor) { self.replica = replica }

    func respondAboutSelf(on exchange: HTTPExchange) {
        let status = replica.status
        var body = ByteBuffer()
        body.writeStaticString("{\"name\":")
        body.writeJSONString(status.name)
        body.writeStaticString(",\"id\":\"")
        body.writeHexadecimal(status.memberID)
        body.writeStaticString(status.isLeader ? "\",\"state\":\"StateLeader" : "\",\"state\":\"StateFollower")
        body.writeStaticString("\",\"startTime\":\"")
        body.writeTime(status.startTime)
        body.writeStaticString("\",\"leaderInfo\":{\"leader\":\"")
        body.writeHexadecimal(status.leader)
        body.writeStaticString("\",\"uptime\":\"")
        body.writeDuration(status.leader == 0 ? 0 : max(0, status.now - status.leaderSince))
        body.writeStaticString("\",\"startTime\":\"")
        body.writeTime(status.leaderSince)
        let appends = replica.appendCounts
        body.writeStaticString("\"},\"recvAppendRequestCnt\":")
        body.writeDecimal(appends.received)
        body.writeStaticString(",\"sendAppendRequestCnt\":")
        body.writeDecimal(appends.sent)
        body.writeStaticString("}")
        exchange.respond(.ok, .json, body: body)
    }

    func respondAboutLeader(on exchange: HTTPExchange) {
        let status = replica.status
        guard status.isLeader, let followers = replica.followers else { return PlainAnswers.message(exchange, .forbidden, "not current leader") }
        var body = ByteBuffer()
        body.writeStaticString("{\"leader\":\"")
        body.writeHexadecimal(status.memberID)
        body.writeStaticString("\",\"followers\":{")
        for (position, follower) in followers.enumerated() {
            if position > 0 { body.writeStaticString(",") }
            body.writeStaticString("\"")
            body.writeHexadecimal(follower.id)
            let latency = [
                ("current", follower.current), ("average", follower.average), ("standardDeviation", follower.deviation),
                ("minimum", follower.minimum), ("maximum", follower.maximum),
            ]
            body.writeString("\":{\"latency\":{" + latency.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}")
            body.writeString(",\"counts\":{\"fail\":\(follower.failures),\"success\":\(follower.successes)}}")
        }
        body.writeStaticString("}}")
        exchange.respond(.ok, .json, body: body)
    }

    func respondAboutStore(on exchange: HTTPExchange) {
        let statistics = replica.storeStatistics
        var body = ByteBuffer()
        func add(_ name: StaticString, _ number: UInt64, isFirst: Bool = false) {
            body.writeStaticString(isFirst ? "{\"" : ",\"")
            body.writeStaticString(name)
            body.writeStaticString("\":")
            body.writeDecimal(number)
        }
        add("getsSuccess", statistics.gets.success, isFirst: true)
        add("getsFail", statistics.gets.fail)
        add("setsSuccess", statistics.sets.success)
        add("setsFail", statistics.sets.fail)
        add("deleteSuccess", statistics.deletes.success)
        add("deleteFail", statistics.deletes.fail)
        add("updateSuccess", statistics.updates.success)
        add("updateFail", statistics.updates.fail)
        add("createSuccess", statistics.creates.success)
        add("createFail", statistics.creates.fail)
        add("compareAndSwapSuccess", statistics.compareAndSwaps.success)
        add("compareAndSwapFail", statistics.compareAndSwaps.fail)
        add("compareAndDeleteSuccess", statistics.compareAndDeletes.success)
        add("compareAndDeleteFail", statistics.compareAndDeletes.fail)
        add("expireCount", statistics.expires)
        add("watchers", statistics.watchers)
        body.writeStaticString("}")
        exchange.respond(.ok, .json, body: body)
    }
}

extension ByteBuffer {
    /// As Go prints a duration: `4h49m25.913009175s`, `12.3ms`, `0s`.
    ///
    /// - Parameter nanoseconds: Not negative.
    mutating func writeDuration(_ nanoseconds: Int64) {
        let total = nanoseconds.magnitude
        switch total {
        case 0: writeStaticString("0s")
        case 1..<1_000:
            writeDecimal(total)
            writeStaticString("ns")
        case 1_000..<1_000_000:
            writeFraction(total, unit: 1_000)
            writeStaticString("µs")
        case 1_000_000..<1_000_000_000:
            writeFraction(total, unit: 1_000_000)
            writeStaticString("ms")
        default:
            let minutes = total / 60_000_000_000
            if minutes >= 60 {
                writeDecimal(minutes / 60)
                writeStaticString("h")
            }
            if minutes > 0 {
                writeDecimal(minutes % 60)
                writeStaticString("m")
            }
            writeFraction(total % 60_000_000_000, unit: 1_000_000_000)
            writeStaticString("s")
        }
    }

    private mutating func writeFraction(_ number: UInt64, unit: UInt64) {
        writeDecimal(number / unit)
        var rest = number % unit
        if rest > 0 { writeStaticString(".") }
        var place = unit / 10
        while rest > 0, place > 0 {
            writeDecimal(rest / place)
            rest %= place
            place /= 10
        }
    }
}
