import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A socket that listens, and its file where it is a unix socket. Who serves on it closes the descriptor and removes the
/// file.
struct ListenSocket: Sendable {
  let descriptor: Int32
  /// Where it listens really: with the port that the system chose.
  let address: String
  /// The file of a unix socket, as it was made.
  private let file: (path: String, device: dev_t, node: ino_t)?

  init(_ asked: ListenAddress) throws {
    switch asked.kind {
    case .version4(let host, let port):
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = host
      descriptor = try ListenSocket.open(AF_INET, &address, asked)
      self.address = try ListenSocket.named(asked, port, descriptor)
      file = nil
    case .version6(let host, let port):
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: host) }
      descriptor = try ListenSocket.open(AF_INET6, &address, asked)
      self.address = try ListenSocket.named(asked, port, descriptor)
      file = nil
    case .unix(let path):
      try ListenSocket.clear(path, asked)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
      // Only a socket that is bound under this mask is never open to others, not even for a moment.
      let mask = umask(0o177)
      defer { umask(mask) }
      descriptor = try ListenSocket.open(AF_UNIX, &address, asked)
      self.address = asked.text
      var facts = stat()
      stat(path, &facts)
      file = (path, facts.st_dev, facts.st_ino)
    }
  }

  /// Removes the file of a unix socket, if it is still the one that was made: another run may have taken the path.
  func remove() {
    guard let file else { return }
    var facts = stat()
    guard lstat(file.path, &facts) == 0, facts.st_dev == file.device, facts.st_ino == file.node else { return }
    unlink(file.path)
  }

  func close() { _ = Glibc.close(descriptor) }

  private static func open<Address>(_ family: Int32, _ address: inout Address, _ asked: ListenAddress) throws -> Int32 {
    #if canImport(Darwin)
      let stream = SOCK_STREAM
    #else
      let stream = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    #endif
    let descriptor = socket(family, stream, 0)
    guard descriptor >= 0 else { throw failure(asked) }
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    if family == AF_INET6 {
      setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, socklen_t(MemoryLayout<Int32>.size))
    }
    // A socket address of any family is passed by the head that they share, with its own size.
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
      }
    }
    guard bound == 0, listen(descriptor, 64) == 0 else {
      let error = failure(asked)
      _ = Glibc.close(descriptor)
      throw error
    }
    return descriptor
  }

  /// What is left at `path`: a socket that nobody listens on any more is removed, anything else is an error.
  private static func clear(_ path: String, _ asked: ListenAddress) throws {
    var facts = stat()
    guard lstat(path, &facts) == 0 else { return }
    guard facts.st_mode & S_IFMT == S_IFSOCK else {
      throw ReplayError(
        .usage, "there is a file where the socket should be: \(path)", next: "name another path with --listen")
    }
    guard !answers(path) else {
      errno = EADDRINUSE
      throw failure(asked)
    }
    unlink(path)
  }

  private static func answers(_ path: String) -> Bool {
    #if canImport(Darwin)
      let probe = socket(AF_UNIX, SOCK_STREAM, 0)
    #else
      let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    #endif
    guard probe >= 0 else { return true }
    defer { _ = Glibc.close(probe) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let connected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return connected == 0 || errno != ECONNREFUSED
  }

  /// The address with the port that it got.
  private static func named(_ asked: ListenAddress, _ port: UInt16, _ descriptor: Int32) throws -> String {
    guard port == 0 else { return asked.text }
    // Both families keep the port at the same place, behind the family.
    var address = sockaddr_in6()
    var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let found = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
    }
    guard found == 0 else { throw failure(asked) }
    return asked.text.prefix(through: asked.text.lastIndex(of: ":") ?? asked.text.startIndex)
      + String(UInt16(bigEndian: address.sin6_port))
  }

  private static func failure(_ asked: ListenAddress) -> ReplayError {
    let cause = errno
    let code: ReplayError.Code = cause == EACCES || cause == EPERM ? .permission : .cannotCreate
    return ReplayError(
      code, "cannot listen on \(asked.text): \(String(cString: strerror(cause)))", effect: "nothing was read",
      next: cause == EADDRINUSE
        ? "end the process that listens there, or name another address (port 0 finds a free one)"
        : "name another address with --listen")
  }
}
