import Raft
import SQLite

extension LogStore {
    /// Rows that one step of a cut deletes, so that no commit behind it waits long.
    package static let cutStepRows: UInt64 = 2000

    /// Deletes a step of the entries up to `target`, which the tree must hold durably. Returns true when all are gone.
    ///
    /// Each step records the new beginning of the chain in the same transaction, so a crash between steps leaves a shorter
    /// log and nothing to repair.
    package func cutStep(upTo target: Index) throws(StorageError) -> Bool {
        let last = min(target, tail.position.index)
        guard last > cut.position.index else { return true }
        let step = min(last, Index(cut.position.index.value + LogStore.cutStepRows))
        let link = try LogContents(connection).link(at: step)
        Failpoint.pass("log.cut.begin")
        do {
            try connection.transaction { () throws(SQLiteError) in
                try LogStore.record(link, connection)
                try deletePrefix.bind(1, Int64(bitPattern: step.value))
                try deletePrefix.run()
                try connection.execute(
                    "DELETE FROM snapshots WHERE \"index\" NOT IN (SELECT \"index\" FROM snapshots ORDER BY \"index\" DESC LIMIT 5)")
                Failpoint.pass("log.cut.before-commit")
            }
        } catch {
            connection.rollBack()
            throw StorageError(error)
        }
        cut = link
        Failpoint.pass("log.cut.after-commit")
        return step == last
    }
}
