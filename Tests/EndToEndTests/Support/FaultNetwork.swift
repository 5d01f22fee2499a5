import Foundation
import Synchronization

/// TCP proxies before the peer ports of a cluster's members, which lose connections and hold bytes back as they are told.
///
/// A member dials another one for what it has to say, and hears nothing but acknowledgements on that connection; so a fault from one
/// member to another is one of the connections that the first has dialled.
final class FaultNetwork: Sendable {
    enum Fault: Equatable, Sendable {
        /// Connections are closed, and new ones are too.
        case cut
        /// Connections stay open and nothing comes through, as when packets are lost on their way: until the fault is gone.
        case stall
        /// Bytes come later.
        case delay(milliseconds: UInt32)
    }

    private struct Way: Hashable {
        var from: String
        var to: String
    }

    private struct State {
        var faults: [Way: Fault] = [:]
        var names: [UInt64: String] = [:]
        /// Where the proxies lead to.
        var targets: [String: UInt16] = [:]
    }

    private let state = Mutex(State())
    private let listeners = Mutex<[SharedSocket]>([])
    private let connections = Mutex<[ObjectIdentifier: ProxiedConnection]>([:])

    deinit {
        for listener in listeners.withLock({ $0 }) { listener.socket.end() }
        for connection in connections.withLock({ Array($0.values) }) { connection.end() }
    }

    /// A port that leads to `target`, the peer port of the member of that name.
    func proxy(of name: String, before target: UInt16) throws -> UInt16 {
        let port = try Ports.free()
        let listener = SharedSocket(try Socket(listeningOn: port))
        listeners.withLock { $0.append(listener) }
        state.withLock { $0.targets[name] = target }
        let network = WeakNetwork(self)
        Thread.detachNewThread {
            while let accepted = listener.socket.accept() {
                guard let network = network.value else { return }
                network.take(SharedSocket(accepted), to: name)
            }
        }
        return port
    }

    func name(_ id: String, _ name: String) {
        guard let id = UInt64(id, radix: 16) else { return }
        state.withLock { $0.names[id] = name }
    }

    /// What one member says to another.
    func set(_ fault: Fault?, from: String, to: String) {
        state.withLock { $0.faults[Way(from: from, to: to)] = fault }
        if fault == .cut {
            let all = connections.withLock { Array($0.values) }
            for connection in all where connection.to == to && name(of: connection) == from { connection.end() }
        }
    }

    /// What these members and the others say to each other.
    func separate(_ some: [String], from others: [String], _ fault: Fault = .cut) {
        for one in some {
            for other in others {
                set(fault, from: one, to: other)
                set(fault, from: other, to: one)
            }
        }
    }

    /// Whoever dials this member reaches another port from now on.
    func redirect(_ name: String, to target: UInt16) {
        state.withLock { $0.targets[name] = target }
        for connection in connections.withLock({ Array($0.values) }) where connection.to == name { connection.end() }
    }

    func heal() { state.withLock { $0.faults = [:] } }

    // MARK: Connections

    private func take(_ accepted: SharedSocket, to name: String) {
        guard let target = state.withLock({ $0.targets[name] }) else { return }
        let connection = ProxiedConnection(accepted, to: name, target)
        connections.withLock { $0[ObjectIdentifier(connection)] = connection }
        let network = WeakNetwork(self)
        Thread.detachNewThread {
            connection.run { network.value.map { $0.fault(of: connection) } ?? .cut }
            network.value?.connections.withLock { $0[ObjectIdentifier(connection)] = nil }
        }
    }

    private func name(of connection: ProxiedConnection) -> String? {
        guard let id = connection.dialler else { return nil }
        return state.withLock { $0.names[id] }
    }

    private func fault(of connection: ProxiedConnection) -> Fault? {
        guard let from = name(of: connection) else { return nil }
        return state.withLock { $0.faults[Way(from: from, to: connection.to)] }
    }
}

/// `@unchecked Sendable`: the reference is never changed.
private final class WeakNetwork: @unchecked Sendable {
    private(set) weak var value: FaultNetwork?

    init(_ value: FaultNetwork) { self.value = value }
}

/// `@unchecked Sendable`: one thread sends, one receives, and any may `end`; the descriptor goes with the last of them.
private final class SharedSocket: @unchecked Sendable {
    let socket: Socket

    init(_ socket: Socket) { self.socket = socket }
}

/// One connection of a member through a proxy.
private final class ProxiedConnection: Sendable {
    let to: String
    private let near: SharedSocket
    private let target: UInt16

    private struct State {
        var dialler: UInt64?
        var far: SharedSocket?
        var isOver = false
    }

    private let state = Mutex(State())

    init(_ accepted: SharedSocket, to: String, _ target: UInt16) {
        near = accepted
        self.to = to
        self.target = target
    }

    /// The id of the member that has dialled; nil for one who is none, or has not said it.
    var dialler: UInt64? { state.withLock { $0.dialler } }

    func end() {
        let far = state.withLock { state in
            state.isOver = true
            return state.far
        }
        near.socket.end()
        far?.socket.end()
    }

    private var isOver: Bool { state.withLock { $0.isOver } }

    /// Returns when the connection is over.
    func run(_ fault: @escaping @Sendable () -> FaultNetwork.Fault?) {
        defer { end() }
        guard let first = try? near.socket.receive(), !first.isEmpty else { return }
        let id = Self.dialler(first)
        state.withLock { $0.dialler = id }
        guard fault() != .cut, let socket = try? Socket(connectingTo: target, timeoutSeconds: 0) else { return }
        let far = SharedSocket(socket)
        state.withLock { $0.far = far }
        guard pass(first, to: far, fault) else { return }
        let near = near
        let back = DispatchGroup()
        back.enter()
        Thread.detachNewThread {
            self.pump(far, near, fault)
            back.leave()
        }
        pump(near, far, fault)
        back.wait()
    }

    private func pump(_ source: SharedSocket, _ target: SharedSocket, _ fault: () -> FaultNetwork.Fault?) {
        while let bytes = try? source.socket.receive(), !bytes.isEmpty {
            guard pass(bytes, to: target, fault) else { return end() }
        }
        target.socket.finishSending()
    }

    /// False when the connection is over.
    private func pass(_ bytes: [UInt8], to target: SharedSocket, _ fault: () -> FaultNetwork.Fault?) -> Bool {
        if case .delay(let milliseconds) = fault() { usleep(milliseconds * 1000) }
        while fault() == .stall {
            if isOver { return false }
            usleep(5000)
        }
        return !isOver && (try? target.socket.send(bytes)) != nil
    }

    /// Where a hello says whose it is: behind the preface (16 bytes), a frame's head (8), kind, version, purpose and cluster.
    private static func dialler(_ bytes: [UInt8]) -> UInt64? {
        let place = 16 + 8 + 3 + 8
        guard bytes.count >= place + 8, bytes.starts(with: Array("ETCLITE/PEER/1\r\n".utf8)) else { return nil }
        return bytes[place..<place + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
