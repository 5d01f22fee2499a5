import NIOCore

/// The figures of this process, for the `/metrics` of one that is no member.
package enum ProcessPage {
    package static func write(into page: inout ByteBuffer) {
        let figures = ProcessFigures()
        for (name, value) in [
            ("process_resident_memory_bytes", figures.residentBytes), ("process_virtual_memory_bytes", figures.virtualBytes),
            ("process_open_fds", figures.openDescriptors), ("process_max_fds", figures.descriptorLimit),
        ] {
            page.writeString("# TYPE \(name) gauge\n\(name) \(value)\n")
        }
        page.writeString("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total \(Double(figures.cpuMicroseconds) / 1e6)\n")
    }
}
