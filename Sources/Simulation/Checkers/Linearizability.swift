/// One operation on one key, as its client saw it.
package struct KeyOperation: Sendable {
    package enum Action: Equatable, Sendable {
        case set(String)
        case compareAndSwap(previous: String, value: String)
        case delete
        case read
    }

    package enum Outcome: Equatable, Sendable {
        case done
        /// The value that was read; nil: there was none.
        case value(String?)
        /// The change was refused: the comparison failed, or there was nothing to change.
        case refused
        /// The client does not know; it may have happened, may happen later, or never.
        case unknown
    }

    package var client: Int
    package var action: Action
    package var outcome: Outcome
    package var called: UInt64
    /// Without meaning for an unknown outcome.
    package var returned: UInt64

    package init(client: Int, _ action: Action, _ outcome: Outcome, called: UInt64, returned: UInt64) {
        self.client = client
        self.action = action
        self.outcome = outcome
        self.called = called
        self.returned = returned
    }
}

/// Whether there is an order of a key's operations that a single register would give: each takes effect at one moment between its
/// call and its return (Herlihy and Wing 1990).
///
/// The search is that of Wing and Gong with Lowe's memory of configurations seen: which operations are done, and the value.
package enum Linearizability {
    package enum Verdict: Equatable, Sendable {
        case legal
        case illegal
        /// Too many configurations to look at; says nothing.
        case undecided
    }

    private struct Configuration: Hashable {
        var done: [UInt64]
        var value: Value
    }

    /// A number for each value of the history; 0 for none.
    private typealias Value = Int

    private struct Values {
        private var numbers: [String: Value] = [:]

        mutating func number(_ value: String?) -> Value {
            guard let value else { return 0 }
            let number = numbers[value] ?? numbers.count + 1
            numbers[value] = number
            return number
        }
    }

    /// What an operation does to a value, and which values it can meet.
    private struct Effect {
        /// Nil: any.
        var requires: Value?
        var forbids: Value?
        /// Nil: it stays.
        var sets: Value?
        /// Does nothing when the requirement is not met, instead of being impossible.
        var isOptional = false
        var isPossible = true

        func apply(to value: Value) -> Value? {
            guard isPossible, forbids != value else { return nil }
            if let requires, requires != value { return isOptional ? value : nil }
            return sets ?? value
        }
    }

    package static func check(_ history: [KeyOperation], configurationsMax: Int = 2_000_000) -> Verdict {
        // A read that nobody got an answer to says nothing.
        let operations = history.filter { !($0.action == .read && $0.outcome == .unknown) }
        // Calls and returns in the order of their times; at one time a call comes first, which only allows more.
        var calls: [(time: UInt64, isReturn: Bool, operation: Int)] = []
        for (number, operation) in operations.enumerated() {
            calls.append((operation.called, false, number))
            if operation.outcome != .unknown { calls.append((operation.returned, true, number)) }
        }
        calls.sort { ($0.time, $0.isReturn ? 1 : 0, $0.operation) < ($1.time, $1.isReturn ? 1 : 0, $1.operation) }
        let certain = operations.count { $0.outcome != .unknown }
        var values = Values()
        let effects = operations.map { effect(of: $0, &values) }
        var search = Search(effects: effects, calls: calls, certain: certain, configurationsMax: configurationsMax)
        return search.run()
    }

    private struct Search {
        let effects: [Effect]
        /// A doubly linked list over the calls and returns; place 0 is its head.
        var next: [Int]
        var previous: [Int]
        let calls: [(time: UInt64, isReturn: Bool, operation: Int)]
        var returnPlace: [Int]
        var certain: Int
        let configurationsMax: Int

        init(
            effects: [Effect], calls: [(time: UInt64, isReturn: Bool, operation: Int)], certain: Int, configurationsMax: Int
        ) {
            self.effects = effects
            self.calls = calls
            self.certain = certain
            self.configurationsMax = configurationsMax
            next = (0...calls.count).map { $0 + 1 }
            previous = (0...calls.count).map { $0 - 1 }
            returnPlace = Array(repeating: 0, count: effects.count)
            for (place, call) in calls.enumerated() where call.isReturn { returnPlace[call.operation] = place + 1 }
        }

        mutating func run() -> Verdict {
            let end = calls.count + 1
            var seen: Set<Configuration> = []
            var done = [UInt64](repeating: 0, count: (effects.count + 63) / 64)
            var value = 0
            var stack: [(place: Int, value: Value)] = []
            var place = next[0]
            while certain > 0 {
                // At the return of an operation that is not done yet, or at the end: nothing more can come before it.
                if place == end || calls[place - 1].isReturn {
                    guard let last = stack.popLast() else { return .illegal }
                    put(back: last.place, &done)
                    value = last.value
                    place = next[last.place]
                    continue
                }
                let number = calls[place - 1].operation
                if let after = effects[number].apply(to: value) {
                    done[number / 64] |= 1 << UInt64(number % 64)
                    if seen.insert(Configuration(done: done, value: after)).inserted {
                        if seen.count > configurationsMax { return .undecided }
                        stack.append((place, value))
                        value = after
                        take(out: place)
                        place = next[0]
                        continue
                    }
                    done[number / 64] &= ~(1 << UInt64(number % 64))
                }
                place = next[place]
            }
            return .legal
        }

        private mutating func take(out place: Int) {
            unlink(place)
            let back = returnPlace[calls[place - 1].operation]
            if back > 0 {
                unlink(back)
                certain -= 1
            }
        }

        private mutating func put(back place: Int, _ done: inout [UInt64]) {
            let number = calls[place - 1].operation
            let back = returnPlace[number]
            if back > 0 {
                link(back)
                certain += 1
            }
            link(place)
            done[number / 64] &= ~(1 << UInt64(number % 64))
        }

        private mutating func unlink(_ place: Int) {
            next[previous[place]] = next[place]
            if next[place] < previous.count { previous[next[place]] = previous[place] }
        }

        private mutating func link(_ place: Int) {
            next[previous[place]] = place
            if next[place] < previous.count { previous[next[place]] = place }
        }
    }

    private static func effect(of operation: KeyOperation, _ values: inout Values) -> Effect {
        switch (operation.action, operation.outcome) {
        case (.read, .value(let read)): Effect(requires: values.number(read))
        case (.set(let new), .done), (.set(let new), .unknown): Effect(sets: values.number(new))
        case (.compareAndSwap(let old, let new), .done): Effect(requires: values.number(old), sets: values.number(new))
        case (.compareAndSwap(let old, _), .refused): Effect(forbids: values.number(old))
        case (.compareAndSwap(let old, let new), .unknown):
            Effect(requires: values.number(old), sets: values.number(new), isOptional: true)
        case (.delete, .done): Effect(forbids: 0, sets: 0)
        case (.delete, .refused): Effect(requires: 0)
        case (.delete, .unknown): Effect(sets: 0)
        case (.read, _), (.set, _), (.compareAndSwap, .value), (.delete, .value): Effect(isPossible: false)
        }
    }
}
