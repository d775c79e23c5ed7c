import ReplayCore

/// Two numbers that stand for a payload: equal payloads have equal ones, and different ones hardly ever.
public enum PayloadPrinter {
  /// `bytes`: the hash of the payload without white space around it. `tokens`: the same without white space between
  /// tokens, so that a writer that set the JSON anew is still recognised. Nil: a tombstone.
  public static func print(_ payload: UnsafeRawBufferPointer?) -> PayloadPrint {
    if let payload { return prints(payload) }
    return tombstone.withUnsafeBytes(prints)
  }

  private static let tombstone = Array("null".utf8)

  private static func prints(_ payload: UnsafeRawBufferPointer) -> PayloadPrint {
    let first = payload.firstIndex { !isSpace($0) } ?? payload.endIndex
    let end = (payload.lastIndex { !isSpace($0) } ?? first - 1) + 1
    let trimmed = UnsafeRawBufferPointer(rebasing: payload[first..<end])
    let bytes = KeyHash.hash(Text(trimmed))
    let tokens = [UInt8](unsafeUninitializedCapacity: trimmed.count) { room, count in
      count = copyTokens(trimmed, room)
    }
    return PayloadPrint(bytes: bytes, tokens: tokens.withUnsafeBytes { KeyHash.hash(Text($0)) })
  }

  /// Copies all but the white space outside strings; answers how many bytes that were.
  private static func copyTokens(_ bytes: UnsafeRawBufferPointer, _ to: UnsafeMutableBufferPointer<UInt8>) -> Int {
    var count = 0
    var (inText, escaped) = (false, false)
    for byte in bytes {
      if inText {
        if escaped { escaped = false } else if byte == 92 { escaped = true } else if byte == 34 { inText = false }
      } else if isSpace(byte) {
        continue
      } else {
        inText = byte == 34
      }
      to[count] = byte
      count += 1
    }
    return count
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 10 || byte == 13 || byte == 9 }
}
