import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension Channel {
    /// A computer that is gone without a word does not acknowledge what is sent to it: the connection ends then, and not after the quarter of an
    /// hour for which the system would go on. For TCP.
    func limitSilence() {
        let option = ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_USER_TIMEOUT))
        // Fails for a channel that is closed by now.
        try? syncOptions?.setOption(option, value: 30_000)
    }
}
