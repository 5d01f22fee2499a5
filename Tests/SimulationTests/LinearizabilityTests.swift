import Simulation
import Testing

@Suite("Linearizability of one key")
struct LinearizabilityTests {
    private func operation(
        _ action: KeyOperation.Action, _ outcome: KeyOperation.Outcome, _ called: UInt64, _ returned: UInt64 = .max
    ) -> KeyOperation {
        KeyOperation(client: 0, action, outcome, called: called, returned: returned)
    }

    @Test("Reads between a write's call and its return may see either value, but not go back")
    func concurrentReads() {
        let write = [operation(.set("a"), .done, 0, 1), operation(.set("b"), .done, 10, 100)]
        #expect(
            Linearizability.check(write + [operation(.read, .value("a"), 20, 30), operation(.read, .value("b"), 40, 50)]) == .legal)
        #expect(
            Linearizability.check(write + [operation(.read, .value("b"), 20, 30), operation(.read, .value("a"), 40, 50)]) == .illegal)
    }

    @Test("A read that misses a write which had returned is stale")
    func staleRead() {
        #expect(Linearizability.check([operation(.set("a"), .done, 0, 10), operation(.read, .value(nil), 20, 30)]) == .illegal)
    }

    @Test("Two swaps from one value cannot both succeed")
    func doubleSwap() {
        let history = [
            operation(.set("a"), .done, 0, 1), operation(.compareAndSwap(previous: "a", value: "b"), .done, 10, 20),
            operation(.compareAndSwap(previous: "a", value: "c"), .done, 10, 20),
        ]
        #expect(Linearizability.check(history) == .illegal)
    }

    @Test("A swap that was refused must have met another value")
    func wrongRefusal() {
        let history = [
            operation(.set("a"), .done, 0, 1), operation(.compareAndSwap(previous: "a", value: "b"), .refused, 10, 20),
        ]
        #expect(Linearizability.check(history) == .illegal)
    }

    @Test("A write whose client gave up may show later, or never, but not come and go")
    func unknownWrites() {
        let history = [operation(.set("a"), .done, 0, 1), operation(.set("b"), .unknown, 5)]
        let late = [operation(.read, .value("a"), 50, 60), operation(.read, .value("b"), 70, 80)]
        #expect(Linearizability.check(history + late) == .legal)
        #expect(Linearizability.check(history + [operation(.read, .value("a"), 50, 60)]) == .legal)
        #expect(Linearizability.check(history + late + [operation(.read, .value("a"), 90, 95)]) == .illegal)
        #expect(Linearizability.check([operation(.read, .value("b"), 1, 2), operation(.set("b"), .unknown, 5)]) == .illegal)
    }

    @Test("A swap without an answer takes effect only from the value that it names")
    func unknownSwap() {
        let swap = [operation(.set("a"), .done, 0, 1), operation(.compareAndSwap(previous: "x", value: "b"), .unknown, 5)]
        #expect(Linearizability.check(swap + [operation(.read, .value("b"), 50, 60)]) == .illegal)
    }

    @Test("A deletion succeeds once for each value there was")
    func deletions() {
        let set = operation(.set("a"), .done, 0, 1)
        #expect(Linearizability.check([set, operation(.delete, .done, 5, 6), operation(.delete, .refused, 7, 8)]) == .legal)
        #expect(Linearizability.check([set, operation(.delete, .done, 5, 6), operation(.delete, .done, 7, 8)]) == .illegal)
        #expect(Linearizability.check([operation(.delete, .refused, 5, 6), operation(.set("a"), .done, 7, 8)]) == .legal)
        #expect(Linearizability.check([operation(.delete, .refused, 5, 6), set]) == .illegal, "there was one")
    }

    @Test("A value that nobody wrote is out of thin air")
    func thinAir() {
        #expect(Linearizability.check([operation(.set("a"), .done, 0, 1), operation(.read, .value("z"), 0, 1)]) == .illegal)
    }
}
