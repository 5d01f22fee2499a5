/// When a checkpoint is worth a try, and how much stands in a WAL that will not start anew.
///
/// A try costs the more the longer the WAL is, and with a reader in the way it is in vain: so the next one comes when a sixteenth has been added.
struct CheckpointBacklog {
    private var next = 0
    private var last = 0
    /// Tries since the WAL began anew.
    private var tries = 0
    /// Where the last try had copied everything: with the next commit the WAL begins anew, if nobody reads just then.
    private var completeAt: Int?

    mutating func isDue(_ frames: Int, every step: Int) -> Bool {
        // It has begun anew.
        if frames < last { (next, tries) = (0, 0) }
        last = frames
        return frames >= max(next, step)
    }

    mutating func tried(at frames: Int, every step: Int, isComplete: Bool) {
        if frames >= step { tries += 1 }
        completeAt = isComplete ? frames : nil
        next = frames + max(step, frames / 16)
    }

    /// One try may come too late for a WAL that a single large transaction has made long.
    func bytesHeldUp(_ frames: Int) -> Int { tries >= 2 && frames >= last && frames != completeAt ? frames * 4120 : 0 }
}
