import SQLite

/// Space that the tree does not need any more, given back to the file system a step at a time.
///
/// Freed pages stand in a list and are taken again by what comes next. In a file with `auto_vacuum=INCREMENTAL` a step moves pages
/// from the end of the file into free places, and a checkpoint then cuts the file (sqlite.org/pragma.html#pragma_incremental_vacuum).
extension TreeStore {
    /// One that was made without it is written anew for it when it is opened, up to this size: some seconds.
    static let conversionBytesMax = 1 << 30

    /// While changes come, free pages are kept for them until they are half of the file, and more than this.
    private static let spareUnderLoad = 16 << 20
    /// At rest a sixteenth of the file may be free, or this.
    private static var spareAtRest: Int { FileSystem.simulated == nil ? 1 << 20 : 8 * 4096 }
    /// A step: a moment's work.
    private static let stepPages = 256

    static func convert(_ connection: Connection) throws(SQLiteError) {
        guard try connection.integer("PRAGMA auto_vacuum") != 2,
            try connection.integer("PRAGMA page_count") ?? 0 <= conversionBytesMax / 4096
        else { return }
        do {
            try connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            // In one transaction: a crash leaves the file as it was, and the next start tries again.
            try connection.execute("VACUUM")
        } catch {
            // It takes as much room again for a moment. Nothing is lost without it but this space.
            guard error.isDiskFull else { throw error }
        }
    }

    /// Gives a step back, in a transaction of its own. False when there is nothing, or not enough to be worth it.
    package func giveBackStep(isAtRest: Bool) throws(StorageError) -> Bool {
        try storing { () throws(SQLiteError) in
            guard let all = try connection.integer("PRAGMA page_count"), let free = try connection.integer("PRAGMA freelist_count") else {
                return false
            }
            let spare = isAtRest ? max(Int(all) / 16, TreeStore.spareAtRest / 4096) : max(Int(all) / 2, TreeStore.spareUnderLoad / 4096)
            guard Int(free) > spare, try connection.integer("PRAGMA auto_vacuum") == 2 else { return false }
            Failpoint.pass("tree.give-back")
            try connection.execute("PRAGMA incremental_vacuum(\(min(Int(free) - spare, TreeStore.stepPages)))")
            return true
        }
    }

    /// Copies the WAL into the file and cuts both to what they hold. Returns false when a reader is in the way.
    package func cutWAL() throws(StorageError) -> Bool {
        let result = try storing { () throws(SQLiteError) in try connection.checkpoint(.truncate, patienceMilliseconds: 50) }
        guard result.isComplete else { return false }
        durable = state.applied
        return true
    }
}
