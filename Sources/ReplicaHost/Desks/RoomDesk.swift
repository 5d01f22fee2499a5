import Raft

/// Is there room on the disks, and does this member still take part?
struct RoomDesk {
    enum Stage: Comparable {
        case running
        /// It is about to stop, and waits for another to lead.
        case handingOver
        case stopping
    }

    private(set) var stage = Stage.running
    private var full: Set<DiskFullSource> = []

    var isStopping: Bool { stage == .stopping }
    var isFull: Bool { !full.isEmpty }
    var isTreeFull: Bool { full.contains(.tree) }

    /// As the machine sees it: without room for the tree a member can still vote and keep what it is sent.
    var disk: DiskSpace { full.contains(.log) ? .full : full.isEmpty ? .free : .logOnly }

    mutating func enter(_ next: Stage) { stage = max(stage, next) }

    /// True when there is room now and there was none, or the other way round.
    mutating func note(_ source: DiskFullSource, isFull isSourceFull: Bool) -> Bool {
        let wasFull = isFull
        if isSourceFull { full.insert(source) } else { full.remove(source) }
        return wasFull != isFull
    }

    /// Why nothing new is taken on.
    ///
    /// - Parameter isServedByOthers: another member leads, takes what it is sent, and tells what came of it.
    func refusal(isServedByOthers: Bool = false) -> Unavailable? { isStopping ? .stopped : isFull && !isServedByOthers ? .diskFull : nil }
}
