import Access
import HTTPTransport
import Keyspace

/// What a keys request asks for.
enum KeysOperation: Equatable {
    case read(recursive: Bool, quorum: Bool)
    /// `since` is zero when there is no `waitIndex`.
    case watch(recursive: Bool, isStream: Bool, since: UInt64)
    case change(Command, onlyAction: Bool)

    var act: AccessAct {
        switch self {
        case .read, .watch: .read
        case .change: .write
        }
    }
}

/// From parameters to the operation: the checks of v2-keys.md §3, in the order of its table, then the choice of §4.
enum KeysQuery {
    /// - Parameter now: The wall clock that a TTL counts from, nanoseconds since 1970 UTC; called when one is given.
    static func operation(
        _ verb: HTTPVerb, _ path: TreePath, _ parameters: KeysParameters, now: () -> Int64
    ) throws(V2Error) -> KeysOperation {
        let previousIndex = try index(parameters[.previousIndex], "invalid value for \"prevIndex\"")
        let waitIndex = try index(parameters[.waitIndex], "invalid value for \"waitIndex\"")
        let recursive = try flag(parameters[.recursive], "invalid value for \"recursive\"") ?? false
        _ = try flag(parameters[.sorted], "invalid value for \"sorted\"")
        let wait = try flag(parameters[.wait], "invalid value for \"wait\"") ?? false
        let dir = try flag(parameters[.dir], "invalid value for \"dir\"") ?? false
        let quorum = try flag(parameters[.quorum], "invalid value for \"quorum\"") ?? false
        let stream = try flag(parameters[.stream], "invalid value for \"stream\"") ?? false
        if wait, verb != .get { throw .field("\"wait\" can only be used with GET requests") }
        if let given = parameters[.previousValue], given.isEmpty { throw .previousValue("\"prevValue\" cannot be empty") }
        let onlyAction = try flag(parameters[.noValueOnSuccess], "invalid value for \"noValueOnSuccess\"") ?? false
        let ttl = try ttl(parameters[.ttl])
        let mustExist = try flag(parameters[.previousExists], "invalid value for prevExist")
        let refresh = try flag(parameters[.refresh], "invalid value for refresh") ?? false
        if refresh, !(parameters[.value] ?? []).isEmpty { throw .refreshValue }
        if refresh, ttl == nil { throw .refreshTTL }

        switch verb {
        case .get, .head, .options, .other:
            if wait, !quorum { return .watch(recursive: recursive, isStream: stream, since: waitIndex ?? 0) }
            // HEAD asks this member only.
            return .read(recursive: recursive, quorum: quorum && verb == .get)
        case .delete:
            var command = Command(.delete, path)
            command.previousValue = parameters[.previousValue]
            command.previousIndex = previousIndex ?? 0
            if command.isConditional { command.operation = .compareAndDelete }
            // etcd takes recursive for dir as well; the tree does too.
            command.isDirectory = dir
            command.isRecursive = recursive
            return .change(command, onlyAction: false)
        case .post:
            var command = Command(.createInOrder, path)
            command.fill(parameters[.value], isDirectory: dir, expiration: expiration(ttl, now))
            return .change(command, onlyAction: onlyAction)
        case .put:
            var command = Command(.set, path)
            command.operation = putOperation(mustExist, parameters[.previousValue] != nil || (previousIndex ?? 0) != 0)
            let makes = command.operation == .set || command.operation == .create
            command.fill(parameters[.value], isDirectory: makes && dir, expiration: expiration(ttl, now))
            if command.operation == .compareAndSwap {
                command.previousValue = parameters[.previousValue]
                command.previousIndex = previousIndex ?? 0
            }
            command.isRefresh = refresh && command.operation != .create
            return .change(command, onlyAction: onlyAction)
        }
    }

    /// As it was asked for, whatever the verb makes of it: rights to single keys do not count then (v2-keys.md §16).
    static func isRecursive(_ parameters: KeysParameters) -> Bool {
        // What is wrong with it was said by `operation`.
        let given = try? flag(parameters[.recursive], "")
        return (given ?? nil) ?? false
    }

    private static func putOperation(_ mustExist: Bool?, _ isConditional: Bool) -> Command.Operation {
        switch mustExist {
        case .some(false): .create
        case .some(true): isConditional ? .compareAndSwap : .update
        case .none: isConditional ? .compareAndSwap : .set
        }
    }

    /// Nil, which is "never", when the time does not fit: too long means permanent (v2-keys.md §11).
    private static func expiration(_ ttl: UInt64?, _ now: () -> Int64) -> Int64? {
        guard let ttl, let seconds = Int64(exactly: ttl) else { return nil }
        let (nanoseconds, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (time, isTooLate) = now().addingReportingOverflow(nanoseconds)
        return isTooLong || isTooLate ? nil : time
    }

    private static func ttl(_ text: [UInt8]?) throws(V2Error) -> UInt64? {
        guard let text, !text.isEmpty else { return nil }
        guard let number = number(text) else { throw .ttl("invalid value for \"ttl\"") }
        return number
    }

    private static func index(_ text: [UInt8]?, _ cause: StaticString) throws(V2Error) -> UInt64? {
        guard let text else { return nil }
        guard let number = number(text) else { throw .index(cause) }
        return number
    }

    /// Decimal digits only, up to 2^64 - 1.
    private static func number(_ text: [UInt8]) -> UInt64? {
        if text.isEmpty { return nil }
        var number: UInt64 = 0
        for byte in text {
            guard Token.isDigit(byte) else { return nil }
            let (tens, isTooLong) = number.multipliedReportingOverflow(by: 10)
            let (sum, isTooLarge) = tens.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            if isTooLong || isTooLarge { return nil }
            number = sum
        }
        return number
    }

    /// The spellings of Go's `strconv.ParseBool`, and no others.
    private static func flag(_ text: [UInt8]?, _ cause: StaticString) throws(V2Error) -> Bool? {
        guard let text else { return nil }
        let span = text.span
        if span.equals("true") || span.equals("1") || span.equals("t") || span.equals("T") || span.equals("TRUE")
            || span.equals("True")
        {
            return true
        }
        if span.equals("false") || span.equals("0") || span.equals("f") || span.equals("F") || span.equals("FALSE")
            || span.equals("False")
        {
            return false
        }
        throw .field(cause)
    }
}

extension Command {
    fileprivate var isConditional: Bool { previousValue != nil || previousIndex != 0 }

    /// A directory has no value, whatever was sent.
    fileprivate mutating func fill(_ value: [UInt8]?, isDirectory: Bool, expiration: Int64?) {
        self.isDirectory = isDirectory
        self.expiration = expiration
        if !isDirectory { self.value = value ?? [] }
    }
}
