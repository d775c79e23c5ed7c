import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

/// Every header that RFC 1952 allows, cut between reads anywhere.
struct GzipHeaderTests {
  static let text = Array(lines(records(3)).utf8)

  /// A member with the parts that `flags` names: 2 checksum, 4 extra, 8 name, 16 comment.
  private func member(flags: UInt8, nameBytes: Int, checksum wrong: UInt16 = 0) -> [UInt8] {
    var header: [UInt8] = [0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3]
    if flags & 4 != 0 {
      header += [UInt8(nameBytes & 255), UInt8(nameBytes >> 8)] + [UInt8](repeating: 7, count: nameBytes)
    }
    if flags & 8 != 0 { header += [UInt8](repeating: UInt8(ascii: "n"), count: nameBytes) + [0] }
    if flags & 16 != 0 { header += Array("a comment".utf8) + [0] }
    if flags & 2 != 0 {
      let sum = UInt16(truncatingIfNeeded: crc32(header)) ^ wrong
      header += [UInt8(sum & 255), UInt8(sum >> 8)]
    }
    return header + Gzip.member(Self.text).dropFirst(10)
  }

  /// CRC-32 bit by bit: nobody else's.
  private func crc32(_ bytes: [UInt8]) -> UInt32 {
    var crc = ~UInt32(0)
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 {
        let isOdd = crc & 1 == 1
        crc >>= 1
        if isOdd { crc ^= 0xedb8_8320 }
      }
    }
    return ~crc
  }

  @Test(arguments: [0, 1, 54, 300], readSizes) func everyPart(nameBytes: Int, reads: MemoryArchive.ReadSizes) {
    for flags in stride(from: UInt8(0), to: 32, by: 1) {
      // Twice, so that a second member's header is met in the middle of a read too.
      let bytes = member(flags: flags, nameBytes: nameBytes)
      let decoded = decode(bytes + bytes, reads: reads)
      #expect(decoded.error == nil, "flags \(flags), name of \(nameBytes), reads \(reads)")
      #expect(decoded.raws == records(3) + records(3), "flags \(flags), name of \(nameBytes), reads \(reads)")
    }
  }

  @Test func aWrongChecksumOrAnUnknownFlagIsDamage() {
    #expect((decode(member(flags: 2, nameBytes: 0, checksum: 1)).error as? ReplayError)?.code == .data)
    #expect((decode(member(flags: 32, nameBytes: 0)).error as? ReplayError)?.code == .data)
  }
}
