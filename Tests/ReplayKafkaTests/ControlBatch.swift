import Glibc
import KafkaMock

/// The marker that ends a transaction, as a coordinator writes it: the mock cluster writes none by itself, but stores what
/// a Produce request brings.
enum ControlBatch {
  /// Appends a commit marker to the partition. `server` is its leader, on this machine. A damaged one has a wrong checksum.
  static func commit(_ topic: String, _ partition: Int32, at server: String, isDamaged: Bool = false) throws {
    var batch = self.marker()
    if isDamaged { batch[batch.count - 1] ^= 1 }
    try append(batch, to: topic, partition, at: server)
  }

  static func append(_ batch: [UInt8], to topic: String, _ partition: Int32, at server: String) throws {
    var request = Bytes()
    request.add(Int16(0), Int16(3))  // Produce, version 3
    request.add(Int32(1))
    request.add(text: "test")
    request.add(Int16(-1), Int16(1))  // no transactional id; the leader's answer is enough
    request.add(Int32(5000), Int32(1))
    request.add(text: topic)
    request.add(Int32(1), partition)
    request.add(Int32(batch.count))
    request.bytes += batch
    let answer = try exchange(request.bytes, with: server)
    // Correlation, topics, name, partitions, partition, then the error.
    let place = 4 + 4 + 2 + topic.utf8.count + 4 + 4
    guard answer.count >= place + 2, answer[place] == 0, answer[place + 1] == 0 else {
      throw MockError("the marker was refused: \(answer)")
    }
  }

  /// `size`: of the marker's value. Coordinators write 6 bytes; readers pass over any.
  static func marker(size: Int = 6) -> [UInt8] {
    // Attributes, time and offset deltas, a key of 4 bytes (version 0, type 1: commit), the value, no headers.
    let rest = [0, 0, 0, 8, 0, 0, 0, 1] + zigzag(size) + Array(repeating: 0, count: size) + [0]
    var record = Bytes()
    record.bytes = zigzag(rest.count) + rest
    var body = Bytes()
    body.add(Int16(0x30))  // transactional, control
    body.add(Int32(0))
    body.add(Int64(1_700_000_000_000), Int64(1_700_000_000_000), Int64(-1))
    body.add(Int16(-1))
    body.add(Int32(-1), Int32(1))
    body.bytes += record.bytes
    var batch = Bytes()
    batch.add(Int64(0))
    batch.add(Int32(body.bytes.count + 9), Int32(0))
    batch.bytes.append(2)
    batch.add(Int32(bitPattern: crc32c(body.bytes)))
    return batch.bytes + body.bytes
  }

  private static func zigzag(_ number: Int) -> [UInt8] {
    var (left, bytes) = (number * 2, [UInt8]())
    while left > 127 {
      bytes.append(UInt8(left & 127 | 128))
      left >>= 7
    }
    return bytes + [UInt8(left)]
  }

  private static func crc32c(_ bytes: [UInt8]) -> UInt32 {
    var crc = ~UInt32(0)
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
    }
    return ~crc
  }

  private struct Bytes {
    var bytes: [UInt8] = []
    mutating func add<Number: FixedWidthInteger>(_ numbers: Number...) {
      for number in numbers { withUnsafeBytes(of: number.bigEndian) { bytes += $0 } }
    }
    mutating func add(text: String) {
      add(Int16(text.utf8.count))
      bytes += text.utf8
    }
  }

  private static func exchange(_ request: [UInt8], with server: String) throws -> [UInt8] {
    let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(handle) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(server.split(separator: ":").last.flatMap { UInt16($0) } ?? 0).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    let connected = withUnsafeBytes(of: &address) {
      connect(handle, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
    }
    guard connected == 0 else { throw MockError("no connection to \(server)") }
    var framed = Bytes()
    framed.add(Int32(request.count))
    framed.bytes += request
    guard write(handle, framed.bytes, framed.bytes.count) == framed.bytes.count else { throw MockError("not written") }
    let size = try receive(handle, 4).reduce(0) { $0 << 8 | Int($1) }
    return try receive(handle, size)
  }

  private static func receive(_ handle: Int32, _ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard recv(handle, &bytes, count, Int32(MSG_WAITALL)) == count else { throw MockError("no answer") }
    return bytes
  }
}
