import ReplayCore

/// Two numbers that stand for a payload: equal payloads have equal ones, and different ones hardly ever.
public enum PayloadPrinter {
  /// `bytes`: the hash of the payload without white space around it. `tokens`: the same without white space between
  /// tokens, so that a writer that set the JSON anew is still recognised. Nil: a tombstone.
  public static func print(_ payload: UnsafeRawBufferPointer?) -> (bytes: UInt64, tokens: UInt64) {
    guard let payload else { return print(tombstone) }
    return print(Array(payload))
  }

  private static let tombstone = Array("null".utf8)

  private static func print(_ payload: [UInt8]) -> (bytes: UInt64, tokens: UInt64) {
    var tokens: [UInt8] = []
    tokens.reserveCapacity(payload.count)
    var (inText, escaped) = (false, false)
    for byte in payload {
      if inText {
        tokens.append(byte)
        if escaped { escaped = false } else if byte == 92 { escaped = true } else if byte == 34 { inText = false }
      } else if !isSpace(byte) {
        tokens.append(byte)
        inText = byte == 34
      }
    }
    let trimmed = payload.drop(while: isSpace).reversed().drop(while: isSpace)
    return (hash(Array(trimmed.reversed())), hash(tokens))
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 10 || byte == 13 || byte == 9 }

  private static func hash(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { KeyHash.hash(Text($0)) } }
}
