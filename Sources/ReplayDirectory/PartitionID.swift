/// The ids that an appender gives a partition: what followers, archives and receipts all understand alike.
enum PartitionID {
  /// A directory's name has at most 255 bytes, on every file system that we know.
  private static let longest = 255 - StreamLayout.partitionPrefix.utf8.count

  /// Why a partition is not to have this id; nil where it may.
  static func fault(in id: String) -> String? {
    let bytes = Array(id.utf8)
    if bytes.isEmpty { return "it is empty" }
    if bytes.count > longest {
      return "it has \(bytes.count) bytes, and the name of a directory has room for \(longest)"
    }
    if bytes.contains(UInt8(ascii: "/")) { return "a slash, which no directory's name has" }
    if id.unicodeScalars.contains(where: { $0.properties.isWhitespace || isControl($0) }) {
      return "white space or a control character: a receipt is one line, and one word"
    }
    let isNumber = bytes.allSatisfy(isDigit)
    if isNumber, bytes.count > 1, bytes[0] == UInt8(ascii: "0") {
      return "a number with leading zeros: an archive's partition is called \(id.drop { $0 == "0" })"
    }
    if let colon = bytes.lastIndex(of: UInt8(ascii: ":")), bytes[(colon + 1)...].allSatisfy(isDigit) {
      return "a colon before a number: in a receipt it would be taken for a position"
    }
    return nil
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
  }
}
