import Crypto
import CryptoExtras

/// What is kept of a password: `$scrypt$ln=14,r=8,p=1$SALT$KEY`, both in hexadecimal (RFC 7914). Taking one apart takes tens of milliseconds
/// and 16 MiB, which is the point; so it is never done on the loop.
enum PasswordHash {
    private static let logRounds = 14
    private static let blockSize = 8
    private static let parallelism = 1
    private static let saltBytes = 16
    private static let keyBytes = 32
    /// What a stored hash may ask for: more would let a damaged row take the memory.
    private static let logRoundsMax = 18

    /// Hashes with a new salt.
    static func make(_ password: [UInt8]) throws -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<saltBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let key = try derive(password, salt, logRounds: logRounds, blockSize, parallelism, keyBytes)
        return Array("$scrypt$ln=\(logRounds),r=\(blockSize),p=\(parallelism)$\(hex(salt))$\(hex(key))".utf8)
    }

    /// False for a wrong password, and for a hash of a form that is not known.
    static func matches(_ password: [UInt8], _ hash: [UInt8]) -> Bool {
        let parts = String(decoding: hash, as: UTF8.self).split(separator: "$", omittingEmptySubsequences: true)
        guard parts.count == 4, parts[0] == "scrypt", let salt = bytes(parts[2]), let key = bytes(parts[3]), !key.isEmpty else {
            return false
        }
        var numbers: [Substring: Int] = [:]
        for setting in parts[1].split(separator: ",") {
            let pair = setting.split(separator: "=")
            guard pair.count == 2, let number = Int(pair[1]) else { return false }
            numbers[pair[0]] = number
        }
        guard let logRounds = numbers["ln"], let blockSize = numbers["r"], let parallelism = numbers["p"],
            (1...logRoundsMax).contains(logRounds), (1...16).contains(blockSize), (1...4).contains(parallelism),
            let derived = try? derive(password, salt, logRounds: logRounds, blockSize, parallelism, key.count)
        else { return false }
        // Whoever measures the time shall not learn how much was right.
        return zip(derived, key).reduce(UInt8(derived.count == key.count ? 0 : 1)) { $0 | $1.0 ^ $1.1 } == 0
    }

    private static func derive(
        _ password: [UInt8], _ salt: [UInt8], logRounds: Int, _ blockSize: Int, _ parallelism: Int, _ count: Int
    ) throws -> [UInt8] {
        let key = try KDF.Scrypt.deriveKey(
            from: password, salt: salt, outputByteCount: count, rounds: 1 << logRounds, blockSize: blockSize, parallelism: parallelism)
        return key.withUnsafeBytes { Array($0) }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xf)]] })
    }

    private static func bytes(_ hex: Substring) -> [UInt8]? {
        let digits = hex.utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count % 2 == 0, !digits.contains(nil) else { return nil }
        let values = digits.compactMap { $0 }
        return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }
}
