import Foundation
import Storage

/// Tells on standard error how long work gets on: nothing in the first second, then a line a second at most.
final class ProgressPrinter {
    private let isWanted: Bool
    private var last = ContinuousClock.now

    init(isWanted: Bool) { self.isWanted = isWanted || isatty(STDERR_FILENO) != 0 }

    var report: ProgressReport {
        { stage, done, total in
            guard self.isWanted, ContinuousClock.now - self.last >= .seconds(1) else { return }
            self.last = .now
            var line = done == 0 ? stage : "\(stage): \(done)"
            if let total, total > 0 { line += " of \(total) (\(min(done, total) * 100 / total) %)" }
            Output.standardError(line)
        }
    }
}
