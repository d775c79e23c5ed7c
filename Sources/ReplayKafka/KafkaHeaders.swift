import CKafka

/// A message's headers as the JSON array that Confluent's sink writes beside an archive: `[{"key":"…","value":"…"}]`.
///
/// A value is text there as here: bytes that are no UTF-8 become U+FFFD, as they do in the sink's default converter.
/// (That one also writes anew what looks like a number or JSON; here the text stays as it was sent.) A header without a
/// value has `null`.
struct KafkaHeaders {
  private(set) var text: [UInt8] = []

  /// False where the message has none.
  mutating func read(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> Bool {
    var headers: OpaquePointer?
    guard rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers else { return false }
    text.removeAll(keepingCapacity: true)
    var (place, key, value, size) = (0, UnsafePointer<CChar>?.none, UnsafeRawPointer?.none, 0)
    while rd_kafka_header_get_all(headers, place, &key, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR, let name = key {
      add(place == 0 ? "[{\"key\":" : ",{\"key\":")
      add(quoted: String(cString: name).utf8)
      add(",\"value\":")
      if let value {
        add(quoted: String(decoding: UnsafeRawBufferPointer(start: value, count: size), as: UTF8.self).utf8)
      } else {
        add("null")
      }
      add("}")
      place += 1
    }
    guard place > 0 else { return false }
    add("]")
    return true
  }

  private mutating func add(_ part: StaticString) {
    part.withUTF8Buffer { text.append(contentsOf: $0) }
  }

  private mutating func add(quoted part: String.UTF8View) {
    text.append(UInt8(ascii: "\""))
    for byte in part {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
      case 0..<0x20:
        add("\\u00")
        text += [KafkaHeaders.hex(byte >> 4), KafkaHeaders.hex(byte & 15)]
      default: text.append(byte)
      }
    }
    text.append(UInt8(ascii: "\""))
  }

  private static func hex(_ digit: UInt8) -> UInt8 { digit < 10 ? 48 + digit : 87 + digit }
}
