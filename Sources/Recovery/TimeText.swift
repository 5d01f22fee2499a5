/// Times as text: RFC 3339 in UTC, and lengths of time before now.
package enum TimeText {
    private static let nanosecondsOfSecond: Int64 = 1_000_000_000
    private static let secondsOfDay: Int64 = 86400

    /// `2026-11-21T11:22:33.123456789Z` for nanoseconds since 1970 UTC.
    package static func format(_ time: Int64) -> String {
        let seconds = floorDivide(time, nanosecondsOfSecond)
        let days = floorDivide(seconds.quotient, secondsOfDay)
        let (year, month, day) = date(days.quotient)
        let rest = days.remainder
        return "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))T\(digits(rest / 3600, 2)):\(digits(rest / 60 % 60, 2))"
            + ":\(digits(rest % 60, 2)).\(digits(seconds.remainder, 9))Z"
    }

    /// Takes RFC 3339 (`2026-11-21T11:22:33Z`, with a fraction or an offset; a date alone is its midnight UTC), or a length
    /// of time before `now` such as `90s`, `15m`, `2h30m`, `3d`.
    ///
    /// - Returns: nanoseconds since 1970 UTC; nil when it is neither, or out of the range of 64 bits.
    package static func parse(_ text: String, now: Int64) -> Int64? {
        if let length = length(Array(text.utf8)) {
            let (time, isTooLong) = now.subtractingReportingOverflow(length)
            return isTooLong ? nil : time
        }
        return moment(Array(text.utf8))
    }

    private static func length(_ text: [UInt8]) -> Int64? {
        var sum: Int64 = 0
        var rest = text[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { (0x30...0x39).contains($0) }
            guard let count = Int64(String(decoding: number, as: UTF8.self)) else { return nil }
            rest = rest.dropFirst(number.count)
            let unit: Int64
            switch rest.popFirst() {
            case UInt8(ascii: "s"): unit = 1
            case UInt8(ascii: "m"): unit = 60
            case UInt8(ascii: "h"): unit = 3600
            case UInt8(ascii: "d"): unit = secondsOfDay
            default: return nil
            }
            guard let part = product(count, unit * nanosecondsOfSecond) else { return nil }
            let (longer, isTooLong) = sum.addingReportingOverflow(part)
            if isTooLong { return nil }
            sum = longer
        }
        return sum
    }

    private static func moment(_ text: [UInt8]) -> Int64? {
        var reader = DigitReader(rest: text[...])
        guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
            let day = reader.number(2), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var seconds = days(year, month, day) * secondsOfDay
        var nanoseconds: Int64 = 0
        if !reader.rest.isEmpty {
            guard reader.skip("T") || reader.skip("t") || reader.skip(" "), let hour = reader.number(2), reader.skip(":"),
                let minute = reader.number(2), reader.skip(":"), let second = reader.number(2), hour < 24, minute < 60,
                second <= 60
            else { return nil }
            seconds += hour * 3600 + minute * 60 + second
            if reader.skip(".") {
                guard let fraction = reader.fraction() else { return nil }
                nanoseconds = fraction
            }
            guard let offset = reader.offset(), reader.rest.isEmpty else { return nil }
            seconds -= offset
        }
        guard let whole = product(seconds, nanosecondsOfSecond) else { return nil }
        let (time, isTooLate) = whole.addingReportingOverflow(nanoseconds)
        return isTooLate ? nil : time
    }

    private static func product(_ one: Int64, _ other: Int64) -> Int64? {
        let (product, isTooLarge) = one.multipliedReportingOverflow(by: other)
        return isTooLarge ? nil : product
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func digits(_ value: Int64, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }

    /// Days since 1970 to a date of the Gregorian calendar, in eras of 400 years that begin in March.
    private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let era = floorDivide(days + 719_468, 146_097)
        let dayOfEra = era.remainder
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let year = yearOfEra + era.quotient * 400 + (month < 10 ? 0 : 1)
        return (year, month < 10 ? month + 3 : month - 9, dayOfYear - (153 * month + 2) / 5 + 1)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = floorDivide(shifted, 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let yearOfEra = era.remainder
        return era.quotient * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private struct DigitReader {
        var rest: ArraySlice<UInt8>

        /// Exactly `count` digits.
        mutating func number(_ count: Int) -> Int64? {
            let digits = rest.prefix(count)
            guard digits.count == count, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            rest = rest.dropFirst(count)
            return Int64(String(decoding: digits, as: UTF8.self))
        }

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest = rest.dropFirst()
            return true
        }

        /// 1 to 9 digits, as nanoseconds.
        mutating func fraction() -> Int64? {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard (1...9).contains(digits.count) else { return nil }
            rest = rest.dropFirst(digits.count)
            return Int64(String(decoding: digits, as: UTF8.self) + String(repeating: "0", count: 9 - digits.count))
        }

        /// `Z`, or hours and minutes east of Greenwich; in seconds.
        mutating func offset() -> Int64? {
            if skip("Z") || skip("z") { return 0 }
            let sign: Int64
            if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
            guard let hours = number(2), skip(":"), let minutes = number(2) else { return nil }
            return sign * (hours * 3600 + minutes * 60)
        }
    }
}
