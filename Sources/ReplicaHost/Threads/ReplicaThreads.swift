import Storage

/// The four threads of a replica.
final class ReplicaThreads: Sendable {
    let log: LogWriter
    let applier: Applier
    let tree: TreeWriter
    private let reader: LongReader
    private let readerThread: WorkerThread
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
        let reader = LongReader(
            treePath: directory.tree, transfer: directory.transfer, fileLock: fileLock, port: port, notice: notice, fail: fail)
        let applier = Applier(
            applier: opened.applier, file: opened.file, treePath: directory.tree, logPath: directory.log,
            historyEvents: historyEvents, tree: tree, beside: reader, port: port, fail: fail)
        reader.register = { [weak applier] in applier?.submit(.watchOn($0)) }
        reader.readWithoutFile = { [weak applier] in applier?.submit(.read($0)) }
        let log = LogWriter(
            store: opened.log, directory: directory.path, applier: applier, port: port, notice: notice, fail: fail)
        readerThread = WorkerThread(name: "reader") { reader.run() }
        treeThread = WorkerThread(name: "tree") { tree.run() }
        applyThread = WorkerThread(name: "apply") { applier.run() }
        logThread = WorkerThread(name: "log") { log.run() }
        self.log = log
        self.applier = applier
        self.tree = tree
        self.reader = reader
    }

    /// In the direction of the flow, so that everything written is applied and everything applied is in the file.
    func stop() {
        tree.endSoon()
        reader.stop()
        log.stop()
        logThread.join()
        applier.submit(.stop)
        applyThread.join()
        tree.submit(.stop)
        treeThread.join()
        readerThread.join()
    }
}
