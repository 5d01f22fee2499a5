import Glibc

/// What the system's allocator is told.
enum Allocator {
    /// A freed block of this size goes back to the system at once.
    ///
    /// Left to itself, glibc raises the bound to the size of the largest block that was ever freed, up to 32 MiB; then what many threads free of
    /// large values stays with the process. Looked up by name: Swift does not import it, and other C libraries have none.
    static func returnLargeBlocks() {
        guard let symbol = dlsym(nil, "mallopt") else { return }
        // int mallopt(int param, int value); M_MMAP_THRESHOLD is -3 (man 3 mallopt).
        let mallopt = unsafeBitCast(symbol, to: (@convention(c) (CInt, CInt) -> CInt).self)
        _ = mallopt(-3, 128 << 10)
    }
}
