import Foundation
import TestSupport
import Testing

/// `kill -9` of the real binary in a loop under load, with every acknowledged write checked afterwards.
@Suite("Kill -9 in a loop under load", .blocking)
struct KillTests {
    /// `ETCLITE_KILL_ROUNDS` raises the number of rounds.
    private static let rounds = ProcessInfo.processInfo.environment["ETCLITE_KILL_ROUNDS"].flatMap { Int($0) } ?? 8

    @Test("Every acknowledged write is there after each kill, at its index, and only once")
    func nothingAcknowledgedIsLost() throws {
        let place = try Workplace()
        let ledger = Ledger()
        var generator = SeededGenerator(seed: UInt64(getpid()))
        let server = try Server(place("data"), flags: ["--snapshot-count", "300"])
        for round in 1...KillTests.rounds {
            let load = Load(on: server.port, ledger, .init(round: round))
            usleep(UInt32.random(in: 150_000...700_000, using: &generator))
            server.kill()
            try load.stop()
            // A start that is killed too must leave nothing worse behind than it found.
            if round % 2 == 0 {
                try server.respawn()
                usleep(UInt32.random(in: 0...250_000, using: &generator))
                server.kill()
            }
            if round % 4 == 0 || round == KillTests.rounds {
                let check = try Program.etcliteutl("check", server.directory)
                #expect(check.isClean, "round \(round): \(check.text)")
            }
            try server.restart()
            let complaints = try ledger.complaints(about: server)
            #expect(complaints.isEmpty, "round \(round): \(complaints.prefix(5).joined(separator: "\n"))")
            if !complaints.isEmpty { break }
        }
        #expect(ledger.refusals.isEmpty)
        #expect(try server.stop() == .signal(SIGTERM))
        print("kill -9: \(KillTests.rounds) rounds, \(ledger.acknowledged) acknowledged writes checked")
    }
}
