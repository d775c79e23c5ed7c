import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Where to listen: `127.0.0.1:PORT`, `[::1]:PORT` or `unix:PATH`; port 0 lets the system choose one.
///
/// What is served is not encrypted and asks nobody who he is: an address that other machines reach has to be allowed.
public struct ListenAddress: Sendable, Hashable {
  enum Kind: Sendable, Hashable {
    case version4(address: UInt32, port: UInt16)
    case version6(address: [UInt8], port: UInt16)
    case unix(String)
  }

  /// As it was given.
  public let text: String
  let kind: Kind

  /// Throws `.usage` where it is no such address, or one that needs `allowsOthers`.
  public init(_ text: String, allowsOthers: Bool = false) throws {
    self.text = text
    if text.hasPrefix("unix:") {
      kind = .unix(try ListenAddress.path(text))
      return
    }
    guard let colon = text.lastIndex(of: ":"), let port = ListenAddress.port(text[text.index(after: colon)...]) else {
      throw ListenAddress.none(text)
    }
    kind = try ListenAddress.internet(text[..<colon], port, text)
    guard allowsOthers || isOfThisMachine else {
      throw ReplayError(
        .usage, "this address can be reached from other machines: \(text)",
        details: ["what is served there is not encrypted, and anyone may read it"],
        next: "say 127.0.0.1, [::1] or unix:PATH, or add --listen-anywhere if the network is yours")
    }
  }

  private static func internet(_ host: Substring, _ port: UInt16, _ text: String) throws -> Kind {
    if host.hasPrefix("["), host.hasSuffix("]") {
      var address = in6_addr()
      guard inet_pton(AF_INET6, String(host.dropFirst().dropLast()), &address) == 1 else { throw none(text) }
      return .version6(address: withUnsafeBytes(of: address) { Array($0) }, port: port)
    }
    var address = in_addr()
    guard inet_pton(AF_INET, String(host), &address) == 1 else { throw none(text) }
    return .version4(address: address.s_addr, port: port)
  }

  private static func path(_ text: String) throws -> String {
    let path = String(text.dropFirst("unix:".count))
    let most = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1
    guard !path.isEmpty, path.utf8.count <= most, !path.utf8.contains(0) else {
      throw ReplayError(
        .usage, "this is no path for a socket: \(text)", details: ["a path of 1 to \(most) bytes"],
        next: "name a shorter path")
    }
    return path
  }

  private static func port(_ text: Substring) -> UInt16? {
    text.utf8.allSatisfy { (48...57).contains($0) } ? UInt16(text) : nil
  }

  private static func none(_ text: String) -> ReplayError {
    ReplayError(
      .usage, "this is no address to listen on: \(text)", next: "say 127.0.0.1:PORT, [::1]:PORT or unix:PATH")
  }

  /// Whether only this machine's own names may be asked by: an address that others reach has any name.
  var needsOwnName: Bool {
    if case .unix = kind { return false }
    return isOfThisMachine
  }

  private var isOfThisMachine: Bool {
    switch kind {
    case .unix: true
    case .version4(let address, _): UInt32(bigEndian: address) >> 24 == 127
    case .version6(let address, _): address == Array(repeating: 0, count: 15) + [1]
    }
  }
}
