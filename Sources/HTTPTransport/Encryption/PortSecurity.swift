import TLS

/// How the connections of a port begin.
package enum PortSecurity: Sendable {
    case clear
    /// With a handshake, and nobody gets in without.
    case encrypted(TLSPolicy)
    /// As whoever comes wants it: the address is listed with both schemes.
    case both(TLSPolicy)
}

/// What is known of an encrypted connection once the handshake is over.
struct Encryption {
    let socket: SocketEnd
    /// Of the certificate that the client has shown; empty for none.
    let commonName: [UInt8]
}
