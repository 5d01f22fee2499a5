import Keyspace
import Testing

@Suite("The order of paths")
struct PathOrderTests {
    @Test("Is that of their bytes, one by one, at every length and every place of the first difference")
    func bytes() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<4000 {
            let common = (0..<Int.random(in: 0...20, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let tails = (0..<2).map { _ in
                (0..<Int.random(in: 0...9, using: &generator)).map { _ in UInt8.random(in: 126...129, using: &generator) }
            }
            let (left, right) = (TreePath(clean: common + tails[0]), TreePath(clean: common + tails[1]))
            #expect((left < right) == left.bytes.lexicographicallyPrecedes(right.bytes), "\(left.bytes) \(right.bytes)")
            #expect((left == right) == (left.bytes == right.bytes), "\(left.bytes) \(right.bytes)")
            #expect(left.order(against: right).signum() == -right.order(against: left).signum())
        }
    }
}
