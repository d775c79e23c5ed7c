import CPQ
import ReplaySQL

/// Values as libpq takes them: numbers as text, all else as it is, so that no text ends at a NUL in it.
struct Parameters {
  private var types: [Oid] = []
  private var bytes: [[UInt8]] = []
  private var formats: [Int32] = []

  init(_ values: [SQLValue]) {
    for value in values {
      switch value {
      case .integer(let number): add(TypeID.int8, Array("\(number)".utf8) + [0], format: 0)
      case .text(let text): add(TypeID.text, Array(text.utf8), format: 1)
      case .blob(let blob): add(TypeID.bytea, blob, format: 1)
      }
    }
  }

  mutating func add(_ type: Oid, _ value: [UInt8], format: Int32) {
    types.append(type)
    bytes.append(value)
    formats.append(format)
  }

  typealias Texts = UnsafePointer<UnsafePointer<CChar>?>

  /// Lends them as C arrays, for one call that copies them.
  func lend<Result>(
    _ body: (Int32, UnsafePointer<Oid>?, Texts?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Result
  ) -> Result {
    // One run of bytes, so that no address has to outlive a nested closure; none is nil, which would be NULL.
    let all = Array(bytes.joined()) + [0]
    let lengths = bytes.map { Int32(clamping: $0.count) }
    return all.withUnsafeBytes { all in
      var (pointers, at): ([UnsafePointer<CChar>?], Int) = ([], 0)
      for value in bytes {
        pointers.append(all.baseAddress.map { ($0 + at).assumingMemoryBound(to: CChar.self) })
        at += value.count
      }
      return body(Int32(clamping: bytes.count), types, pointers, lengths, formats)
    }
  }
}

/// PostgreSQL's numbers of its own types, the same in every server.
enum TypeID {
  static let bytea: Oid = 17
  static let int8: Oid = 20
  static let text: Oid = 25
  static let textArray: Oid = 1009
}
