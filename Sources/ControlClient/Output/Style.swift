#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How a person reads it: tables and colours in a terminal. Whatever is piped reads etcdctl's lines, byte for byte.
struct Style: Sendable {
    enum Colour: Int {
        case red = 31, green = 32, yellow = 33, blue = 34
    }

    let isTerminal: Bool
    let isColoured: Bool

    static let plain = Style(isTerminal: false, isColoured: false)

    init(isTerminal: Bool, isColoured: Bool) {
        self.isTerminal = isTerminal
        self.isColoured = isColoured
    }

    /// Colours can be switched off as no-color.org says, and a terminal that has none says so.
    init(of descriptor: Int32, environment: [String: String]) {
        isTerminal = isatty(descriptor) == 1
        isColoured = isTerminal && environment["NO_COLOR"] ?? "" == "" && environment["TERM"] ?? "dumb" != "dumb"
    }

    func paint(_ text: String, _ colour: Colour) -> String { isColoured ? "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m" : text }

    /// Columns as wide as their widest cell, two blanks between; the head in capitals. Cells hold no colours yet.
    ///
    /// - Parameter paint: what becomes of a cell that has its width; by its text and its column.
    static func table(_ head: [String], _ rows: [[String]], paint: (String, Int) -> String = { cell, _ in cell }) -> String {
        let widths = head.indices.map { column in ([head] + rows).map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        func line(_ cells: [String], _ paint: (String, Int) -> String) -> String {
            cells.enumerated().map { column, cell in
                let blanks = column == cells.count - 1 ? 0 : widths[column] - cell.count + 2
                return paint(cell, column) + String(repeating: " ", count: blanks)
            }.joined() + "\n"
        }
        return line(head) { cell, _ in cell } + rows.map { line($0, paint) }.joined()
    }
}
