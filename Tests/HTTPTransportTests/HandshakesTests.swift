import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@testable import HTTPTransport
@testable import TLS

private final class Waiting: Listed {
    var position = -1
    var number: UInt64 = 0
    let deadline: Int

    init(_ deadline: Int) { self.deadline = deadline }
}

@Suite("Unfinished handshakes")
struct HandshakesTests {
    @Test("Each connection is found again wherever others have left, and one that has left is not taken for another")
    func list() {
        var list = ConnectionList<Waiting>()
        let all = (0..<100).map { Waiting($0) }
        for connection in all { list.add(connection) }
        var left = Set<Int>()
        for step in 0..<300 {
            let number = step * 37 % 100
            list.remove(all[number])
            left.insert(number)
            #expect(list.count == 100 - left.count)
            #expect(list.all.indices.allSatisfy { list.all[$0].position == $0 })
            #expect(Set(list.all.map(\.deadline)) == Set(0..<100).subtracting(left))
        }
        #expect(list.next == nil)
        list.add(all[7])
        #expect(list.count == 1 && list.next === all[7])
    }

    @Test("When there are too many, the one that has waited longest goes, and not before")
    func excess() {
        var handshakes = Handshakes<Waiting>()
        for deadline in [5, 3, 9] {
            #expect(handshakes.excess(over: 3) == nil)
            handshakes.unfinished.add(Waiting(deadline))
        }
        #expect(handshakes.excess(over: 3)?.deadline == 3)
        // Of those that came in the same second the first, also when the last stands in its place.
        let same = (0..<4).map { _ in Waiting(3) }
        for connection in same { handshakes.unfinished.add(connection) }
        for _ in 0..<2 { if let next = handshakes.unfinished.next { handshakes.unfinished.remove(next) } }
        #expect(handshakes.unfinished.next === same[1])
    }

    @Test("Of those that are not let in one in a second is told of, with the number of the others")
    func rejections() {
        var handshakes = Handshakes<Waiting>()
        #expect(handshakes.noteRejected(second: 0) == 0)
        for _ in 0..<5 { #expect(handshakes.noteRejected(second: 0) == nil) }
        #expect(handshakes.noteRejected(second: 1) == 5)
        #expect(handshakes.noteRejected(second: 3) == 0)
        #expect(handshakes.rejectedTotal == 8)
    }
}

@Suite("Certificates that a name server is asked about")
struct NameQuestionsTests {
    @Test("So many wait for a name server that does not answer, others are refused at once, and afterwards there is room again")
    func crowded() async throws {
        let files = try TestFiles()
        let facts = try CertificateFacts(#require(NIOSSLCertificate.fromPEMBytes(Array(files.authority.certificate.utf8)).first), in: nil)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (silent, asked) = (ConditionLock(value: false), NIOLockedValueBox(0))
        let questions = try await loop.submit {
            NIOLoopBound(
                NameQuestions(loop: loop) { facts, _, isOver in
                    asked.withLockedValue { $0 += 1 }
                    silent.lock(whenValue: true)
                    silent.unlock()
                    return isOver() ? .refused("late") : .admitted(facts)
                }, eventLoop: loop)
        }.get()
        let waiting = try await loop.submit {
            (0...NameQuestions.countMax).map { questions.value.admit(facts, from: "192.0.2.1", within: .seconds($0 == 0 ? -1 : 600)) }
        }.get()
        silent.lock()
        silent.unlock(withValue: true)
        var answers: [String?] = []
        for answer in waiting { answers.append(try await answer.get().reason) }
        #expect(answers.first == "late" && answers.dropFirst().dropLast().allSatisfy { $0 == nil })
        #expect(answers.last == "tls: too many certificates wait for the name server")
        #expect(asked.withLockedValue { $0 } == NameQuestions.countMax)
        let next = try await loop.flatSubmit { questions.value.admit(facts, from: "192.0.2.1", within: .seconds(600)) }.get()
        #expect(next.reason == nil)
        try await loop.submit { questions.value.stop() }.get()
    }
}

extension TLSPolicy.Admission {
    fileprivate var reason: String? { if case .refused(let reason) = self { reason } else { nil } }
}
