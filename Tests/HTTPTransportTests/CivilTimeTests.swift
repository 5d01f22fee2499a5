import HTTPTransport
import NIOCore
import Testing

@Suite("Times and numbers as text")
struct TextTests {
    @Test(
        "Dates as HTTP wants them",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_136_214_245, "Mon, 02 Jan 2006 15:04:05 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (9_223_372_036, "Fri, 11 Apr 2262 23:47:16 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (-86_400, "Wed, 31 Dec 1969 00:00:00 GMT"),
        ])
    func dates(seconds: Int64, text: String) {
        #expect(CivilTime(unixSeconds: seconds).httpDate == text)
    }

    @Test("Every day for eight centuries follows the one before")
    func days() {
        var last = CivilTime(unixSeconds: -12_622_780_800)
        for day in 1..<300_000 {
            let time = CivilTime(unixSeconds: -12_622_780_800 + Int64(day) * 86_400)
            let isNext =
                time.day == last.day + 1 && time.month == last.month && time.year == last.year
                || time.day == 1 && last.day >= 28
                    && (time.month == last.month + 1 && time.year == last.year
                        || time.month == 1 && last.month == 12 && time.year == last.year + 1)
            guard isNext, time.weekday == (last.weekday + 1) % 7 else {
                Issue.record("\(last) is followed by \(time)")
                return
            }
            last = time
        }
    }

    @Test("Numbers", arguments: [0, 9, 10, 99, 100, 12_345_678_901, UInt64.max])
    func numbers(number: UInt64) {
        var buffer = ByteBuffer()
        buffer.writeDecimal(number)
        buffer.writeStaticString(" ")
        buffer.writeHexadecimal(number)
        #expect(String(buffer: buffer) == "\(number) \(String(number, radix: 16))")
    }
}
