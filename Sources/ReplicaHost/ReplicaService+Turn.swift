import Replica

/// What is to be said, to be heard and to be done when the present work is done?
struct TurnDesk {
    /// Work is going on; whatever would interrupt it waits.
    fileprivate(set) var isWorking = false
    fileprivate(set) var isDelivering = false
    fileprivate(set) var isStepping = false
    /// For clients, in order.
    var deliveries: [Delivery] = []
    /// Connections have said it because of what was done to them.
    fileprivate var heard: [() -> Void] = []
    /// For the machine, because of what it wanted done.
    fileprivate var events: [ReplicaEvent] = []
}

/// How work is done so that nobody is called in the middle of it, and nobody's call comes into the middle of it.
///
///     turn:  work            the machine and the desks change; what is to be said is collected
///            what was heard  because of that, from connections: more work
///            deliveries      clients are told. They may call back: that is a turn of its own, whose deliveries come behind
///            flush           messages to other members leave
///
/// So no sink, answer or channel is ever called while the machine or a desk is being changed. A channel that is written to may close, and
/// a channel that closes says so at once, from within: to call it in the middle of a change would end the process.
extension ReplicaService {
    /// Every way into the service leads through here.
    func turn(_ body: () -> Void) {
        work(body)
        if !turns.isWorking { links?.flush() }
    }

    /// A part of a turn: what it has to say is said at its end.
    func work(_ body: () -> Void) {
        guard !turns.isWorking else { return body() }
        turns.isWorking = true
        body()
        while !turns.heard.isEmpty {
            var heard: [() -> Void] = []
            swap(&heard, &turns.heard)
            for one in heard { one() }
        }
        turns.isWorking = false
        makeDeliveries()
    }

    /// For calls that may come from within, because of what this service does to a connection.
    func turnLater(_ body: @escaping () -> Void) { if turns.isWorking { turns.heard.append(body) } else { turn(body) } }

    func deliver(_ delivery: Delivery?) { if let delivery { turns.deliveries.append(delivery) } }

    func deliver(_ deliveries: [Delivery]) { turns.deliveries += deliveries }

    private func makeDeliveries() {
        guard !turns.isDelivering, !turns.deliveries.isEmpty else { return }
        turns.isDelivering = true
        var place = 0
        while place < turns.deliveries.count {
            let next = turns.deliveries[place]
            place += 1
            make(next)
        }
        turns.deliveries.removeAll(keepingCapacity: place < 4096)
        turns.isDelivering = false
    }

    private func make(_ delivery: Delivery) {
        switch delivery {
        case .proposal(let answer, let result): answer(result)
        case .read(let answer, let result): answer(result)
        case .event(let watcher, let event, let isTwice):
            guard !watcher.isOver else { return }
            watcher.sink.push(event, twice: isTwice)
            guard watcher.hearsOnce, !watcher.isOver else { return }
            watcher.sink.flushEvents()
            cancel(watcher.token)
        case .flush(let watcher): if !watcher.isOver { watcher.sink.flushEvents() }
        case .started(let watcher, let index): if !watcher.isOver { watcher.sink.started(index: index) }
        case .cleared(let watcher, let oldest, let index):
            guard !watcher.isOver else { return }
            watcher.sink.cleared(oldest: oldest, index: index)
            cancel(watcher.token)
        case .ended(let watcher):
            guard !watcher.isOver else { return }
            watcher.sink.ended()
            cancel(watcher.token)
        case .unavailable(let watcher, let reason):
            guard !watcher.isOver else { return }
            watcher.sink.unavailable(reason)
            cancel(watcher.token)
        case .other(let body): body()
        }
    }

    /// One event to the machine, and what it wants done. What that leads to comes behind it: orders must go out in order.
    func step(_ event: ReplicaEvent) {
        guard !turns.isStepping else { return turns.events.append(event) }
        turns.isStepping = true
        stepOnce(event)
        while !turns.events.isEmpty {
            var events: [ReplicaEvent] = []
            swap(&events, &turns.events)
            for event in events { stepOnce(event) }
        }
        turns.isStepping = false
    }

    private func stepOnce(_ event: ReplicaEvent) {
        var effects = ReplicaEffects()
        machine.handle(event, at: WallClock.steadyMilliseconds, into: &effects)
        carryOut(effects)
        setAlarm()
    }
}
