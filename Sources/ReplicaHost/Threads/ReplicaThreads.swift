import Storage

/// The three threads of a replica.
final class ReplicaThreads: Sendable {
    let log: LogWriter
    let applier: Applier
    let tree: TreeWriter
    private let logThread: WorkerThread
    private let applyThread: WorkerThread
    private let treeThread: WorkerThread

    init(
        _ opened: OpenedStores, in directory: DataDirectory, historyEvents: Int, fileLock: TreeFileLock, port: LoopPort,
        notice: @escaping @Sendable (ReplicaNotice) -> Void, fail: @escaping @Sendable (StorageError) -> Never
    ) {
        let tree = TreeWriter(
            store: opened.tree, directory: directory.path, historyEvents: historyEvents, fileLock: fileLock, port: port, notice: notice,
            fail: fail)
        let applier = Applier(
            applier: opened.applier, file: opened.file, treePath: directory.tree, logPath: directory.log,
            historyEvents: historyEvents, tree: tree, port: port, fail: fail)
        let log = LogWriter(
            store: opened.log, directory: directory.path, applier: applier, port: port, notice: notice, fail: fail)
        treeThread = WorkerThread(name: "tree") { tree.run() }
        applyThread = WorkerThread(name: "apply") { applier.run() }
        logThread = WorkerThread(name: "log") { log.run() }
        self.log = log
        self.applier = applier
        self.tree = tree
    }

    /// In the direction of the flow, so that everything written is applied and everything applied is in the file.
    func stop() {
        tree.endSoon()
        log.stop()
        logThread.join()
        applier.submit(.stop)
        applyThread.join()
        tree.submit(.stop)
        treeThread.join()
    }
}
