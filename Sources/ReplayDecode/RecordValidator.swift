import CDecode
import ReplayCore

/// Looks at the whole of a record as JSON (RFC 8259): numbers, literals, escapes and structure. One a thread.
public final class RecordValidator {
  private let handle: OpaquePointer

  public init() { handle = replay_extractor_create(1) }

  deinit { replay_extractor_destroy(handle) }

  /// Nil where the record is valid; `hasTwins` tells whether an object names a member twice. The record must be one of
  /// a block's: 64 bytes behind it are readable.
  public func fault(in record: Text, hasTwins: inout Bool) -> JSONFault? {
    hasTwins = false
    let bytes = record.start.assumingMemoryBound(to: UInt8.self)
    if replay_validate(handle, bytes, record.count, &hasTwins) { return nil }
    // The fast parser refuses some valid numbers (beyond 64 bits, beyond a double), and does not say where it stopped.
    return JSONGrammar.fault(in: record)
  }
}

/// Where a text stops being JSON, and why.
public struct JSONFault: Error, Sendable, Equatable {
  /// Byte in the record.
  public let byteOffset: Int
  public let expected: String
}
