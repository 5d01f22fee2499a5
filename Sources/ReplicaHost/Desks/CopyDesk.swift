import Raft
import Storage

/// Who gets a copy of the tree's file, and when?
///
/// One copy is made at a time, whoever it is for: each reads and writes the whole tree. Members come first, since a log is kept for them.
/// One backup at a time is on the disk, until its client has all of it:
///
///     ask → wait → (tree file catches up) → made → given to the client → done
struct CopyDesk {
    enum Purpose {
        case backup(number: UInt64)
        case snapshot(MemberID)
    }

    /// A copy to be made.
    struct Job {
        let purpose: Purpose
        /// Of this process, unlike all others.
        let number: Int
        /// Set when nobody wants it any more.
        let abandonment: Abandonment
    }

    private struct Backup {
        let number: UInt64
        let answer: (Result<BackupCopy, Unavailable>) -> Void
    }

    private enum Phase {
        case idle
        /// A backup: the tree file is brought up to what was answered first.
        case catchingUp(Job, Backup)
        case making(Job, Backup?)
    }

    private var phase = Phase.idle
    private var members: [MemberID] = []
    private var backups: [Backup] = []
    /// A client is being sent its backup; that file is on the disk.
    private var isSending = false
    private var lastBackup: UInt64 = 0
    private var jobs = 0

    static let waitingMax = 4

    // MARK: Asking

    mutating func ask(for member: MemberID) { if !members.contains(member) { members.append(member) } }

    /// Nil when too many wait.
    mutating func ask(_ answer: @escaping (Result<BackupCopy, Unavailable>) -> Void) -> UInt64? {
        guard backups.count < Self.waitingMax else { return nil }
        lastBackup += 1
        backups.append(Backup(number: lastBackup, answer: answer))
        return lastBackup
    }

    /// Its client has left. A copy that is being made for it ends early.
    mutating func withdraw(_ number: UInt64) {
        backups.removeAll { $0.number == number }
        switch phase {
        case .catchingUp(let job, let backup) where backup.number == number: job.abandonment.abandon()
        case .making(let job, let backup?) where backup.number == number: job.abandonment.abandon()
        case .idle, .catchingUp, .making: break
        }
    }

    // MARK: Making

    enum Next {
        case nothing
        /// Have the tree file catch up; then `caughtUp`.
        case catchUp
        case make(Job)
    }

    /// What is to be started now.
    mutating func next() -> Next {
        guard case .idle = phase else { return .nothing }
        if !members.isEmpty {
            let job = newJob(.snapshot(members.removeFirst()))
            phase = .making(job, nil)
            return .make(job)
        }
        guard !isSending, !backups.isEmpty else { return .nothing }
        let backup = backups.removeFirst()
        phase = .catchingUp(newJob(.backup(number: backup.number)), backup)
        return .catchUp
    }

    private mutating func newJob(_ purpose: Purpose) -> Job {
        jobs += 1
        return Job(purpose: purpose, number: jobs, abandonment: Abandonment())
    }

    /// The tree file holds everything that was answered. Nil: nobody wants the copy any more.
    mutating func caughtUp() -> Job? {
        guard case .catchingUp(let job, let backup) = phase else { return nil }
        guard !job.abandonment.isAbandoned else {
            phase = .idle
            return nil
        }
        phase = .making(job, backup)
        return job
    }

    /// - Returns: what its client is told. Nil: nobody is there to be told, and a copy that was made is to be removed.
    mutating func made(_ job: Job, _ result: Result<BackupCopy, Unavailable>) -> Delivery? {
        guard case .making(let made, let backup) = phase, made.number == job.number else { return nil }
        phase = .idle
        guard let backup, !job.abandonment.isAbandoned else { return nil }
        if case .success = result { isSending = true }
        return .other { backup.answer(result) }
    }

    /// The client has its backup, or has left.
    mutating func sent() { isSending = false }

    // MARK: The end

    /// No backup is made any more; what is being made ends early.
    mutating func failBackups(_ reason: Unavailable) -> [Delivery] {
        var failed = backups
        backups = []
        switch phase {
        case .catchingUp(let job, let backup) where !job.abandonment.isAbandoned:
            failed.insert(backup, at: 0)
            job.abandonment.abandon()
        case .making(let job, let backup?) where !job.abandonment.isAbandoned:
            failed.insert(backup, at: 0)
            job.abandonment.abandon()
        case .idle, .catchingUp, .making: break
        }
        return failed.map { backup in .other { backup.answer(.failure(reason)) } }
    }

    /// The process ends: copies for members, too.
    mutating func abandonAll() {
        members = []
        if case .making(let job, _) = phase { job.abandonment.abandon() }
    }
}
