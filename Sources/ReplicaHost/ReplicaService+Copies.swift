import NIOCore
import Raft
import Replica
import Storage
import Wire

/// Copies of the tree's file, one at a time, on a thread of their own: backups for clients, snapshots for members.
extension ReplicaService {
    func makeNextCopy() {
        guard !room.isStopping else { return }
        switch copies.next() {
        case .nothing: break
        case .catchUp: threads?.applier.submit(.flush)
        case .make(let job): make(job)
        }
    }

    func treeFileCaughtUp() { if let job = copies.caughtUp() { make(job) } else { makeNextCopy() } }

    private func make(_ job: CopyDesk.Job) {
        switch job.purpose {
        case .backup: makeBackup(job)
        case .snapshot(let member): makeSnapshot(job, for: member)
        }
    }

    private func makeBackup(_ job: CopyDesk.Job) {
        let path = "\(directory.transfer)/backup-\(job.number)"
        let (tree, identity, loop, fileLock) = (directory.tree, identity, loop, fileLock)
        let bound = NIOLoopBound((service: self, job: job), eventLoop: loop)
        let abandonment = job.abandonment
        let start = WallClock.steady
        WorkerThread(name: "backup") {
            let made = Result { () throws(StorageError) in
                try BackupFile.make(tree: tree, identity: identity, to: path, lock: fileLock, abandonment: abandonment)
            }
            let size = UInt64(FileOperations.size(path) ?? 0)
            loop.execute {
                let (service, job) = bound.value
                service.figures.counters.copies.record(nanoseconds: UInt64(max(0, WallClock.steady - start)))
                service.turn { service.finish(job, made, path, size) }
            }
        }.detach()
    }

    private func finish(_ job: CopyDesk.Job, _ made: Result<BackupManifest, StorageError>, _ path: String, _ size: UInt64) {
        var result: Result<BackupCopy, Unavailable>
        switch made {
        case .success(let manifest):
            result = .success(
                BackupCopy(path: path, size: size, stateHash: manifest.stateHash) { [self] in
                    removeTransfer(path)
                    copies.sent()
                    turn { makeNextCopy() }
                })
        case .failure(let error):
            if !job.abandonment.isAbandoned { notice(.backupFailed(error.description)) }
            if case .diskFull = error { result = .failure(.diskFull) } else { result = .failure(.timedOut) }
        }
        if let delivery = copies.made(job, result) {
            deliver(delivery)
        } else if case .success = made {
            removeTransfer(path)
        }
        makeNextCopy()
    }

    private func makeSnapshot(_ job: CopyDesk.Job, for member: MemberID) {
        let path = "\(directory.transfer)/outgoing-\(job.number)"
        let (tree, log, cluster, fileLock, loop) = (directory.tree, directory.log, identity.cluster, fileLock, loop)
        let bound = NIOLoopBound((service: self, job: job), eventLoop: loop)
        let abandonment = job.abandonment
        let start = WallClock.steady
        WorkerThread(name: "snapshot") {
            let made = Result { () throws(StorageError) in
                try SnapshotFile.make(tree: tree, log: log, cluster: cluster, to: path, lock: fileLock, abandonment: abandonment)
            }
            loop.execute {
                let (service, job) = bound.value
                service.figures.counters.copies.record(nanoseconds: UInt64(max(0, WallClock.steady - start)))
                service.turn {
                    _ = service.copies.made(job, .failure(.stopped))
                    switch made {
                    case .success(let manifest): service.send(manifest, path, to: member)
                    case .failure(let error): if !service.room.isStopping { service.failedToCopy(error, for: member) }
                    }
                    service.makeNextCopy()
                }
            }
        }.detach()
    }
}
