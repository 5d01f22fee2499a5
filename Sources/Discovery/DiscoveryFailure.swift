/// Why a discovery URL gives no cluster; the texts are etcd's (cluster.md §7.3).
package enum DiscoveryFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// So many others have registered that there is no place left. With what they registered, first come first.
    case clusterIsFull([String])
    case sizeKeyNotFound
    case sizeKeyIsBad
    /// What answers is not a keys API, or the path is no directory of it.
    case badEndpoint
    /// A member has registered something else than `name=url`.
    case invalidURL
    /// This member's identity is registered with another name or other URLs.
    case duplicateID
    case duplicateName
    /// What the service says, or what is wrong with the URL.
    case refused(String)

    package var description: String {
        switch self {
        case .clusterIsFull: "discovery: cluster is full"
        case .sizeKeyNotFound: "discovery: size key not found"
        case .sizeKeyIsBad: "discovery: size key is bad"
        case .badEndpoint: "discovery: bad discovery endpoint"
        case .invalidURL: "discovery: invalid URL"
        case .duplicateID: "discovery: found duplicate id"
        case .duplicateName: "discovery: found duplicate name"
        case .refused(let reason): reason
        }
    }
}
