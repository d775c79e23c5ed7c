import Foundation
import Glibc

/// A client of its own: sends bytes, reads until the other side closes.
struct Client {
  let descriptor: Int32

  init?(port: UInt16) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    guard Client.connects(descriptor, &address) else { return nil }
  }

  init?(port6 port: UInt16) {
    descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    address.sin6_addr = in6addr_loopback
    guard Client.connects(descriptor, &address) else { return nil }
  }

  init?(path: String) {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    guard Client.connects(descriptor, &address) else { return nil }
  }

  private static func connects<Address>(_ descriptor: Int32, _ address: inout Address) -> Bool {
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
      }
    }
    if result != 0 { Glibc.close(descriptor) }
    return result == 0
  }

  func send(_ text: String) { _ = Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL)) }

  /// Everything until the end; the connection is closed then.
  func rest() -> String {
    defer { Glibc.close(descriptor) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(descriptor, &part, part.count, 0)
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += part[..<count]
    }
  }

  func get(_ path: String, method: String = "GET", head: String = "") -> Answer {
    send("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\(head)\r\n")
    return Answer(rest())
  }
}

struct Answer {
  let status: Int?
  let head: [String]
  let body: String

  init(_ text: String) {
    guard let end = text.range(of: "\r\n\r\n") else {
      (status, head, body) = (nil, [], text)
      return
    }
    head = text[..<end.lowerBound].split(separator: "\r\n").map { $0.lowercased() }
    status = head.first.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) }
    body = String(text[end.upperBound...])
  }
}
