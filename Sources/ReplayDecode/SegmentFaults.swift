import CDecode
import ReplayCore

/// The errors of a segment's content, each with file, record and byte.
extension SegmentBlocks {
  func fault(_ call: replay_block, _ storage: BlockStorage) -> ReplayError {
    let found = pinpoint(call, storage)
    let at = min(call.fault_offset + found.bytes, max(0, call.length - 1))
    let start = max(call.fault_offset, at - 20)
    let excerpt = Text(start: UnsafeRawPointer(storage.bytes + start), count: min(60, call.length - start))
    var what = SegmentBlocks.words(call.fault)
    if let expected = found.expected { what.text = "expected \(expected), found something else" }
    let rest = (call.fault_offset..<max(call.fault_offset, call.length)).first {
      ![9, 13, 32].contains(storage.bytes[$0])
    }
    if call.fault == REPLAY_TWO_VALUES_ON_LINE, rest.map({ storage.bytes[$0] != UInt8(ascii: "{") }) ?? true {
      what = ("expected the end of the line, found more: a bracket too many, perhaps", nil)
    }
    return ReplayError(
      .data, "archive file has a malformed record: \(segment.name)",
      details: [
        "record \(call.fault_ordinal + 1) (\(segment.position(mark: call.fault_ordinal).describedFor(segment))), "
          + "decompressed byte \(base + UInt64(call.fault_offset + found.bytes)): \(what.text)",
        "near: \(ReplayError.excerpt(excerpt))",
      ], next: what.next ?? "mend or replace this file, then run the same command"
    ).at(segment, ordinal: call.fault_ordinal)
  }

  /// How far behind the record's start the fault lies, where the fast pass only knows the record.
  private func pinpoint(_ call: replay_block, _ storage: BlockStorage) -> (bytes: Int, expected: String?) {
    let vague = [
      REPLAY_INVALID_UTF8, REPLAY_CONTROL_CHARACTER, REPLAY_UNCLOSED_STRING, REPLAY_NOT_JSON, REPLAY_UNFINISHED,
    ]
    guard vague.contains(call.fault), call.fault_offset < call.length else { return (0, nil) }
    var end = call.length
    if cutter?.framing == .lines {
      while end > call.fault_offset, storage.bytes[end - 1] == 10 { end -= 1 }
      end = (call.fault_offset..<end).first { storage.bytes[$0] == 10 } ?? end
    }
    let record = Text(
      start: UnsafeRawPointer(storage.bytes + call.fault_offset), count: end - call.fault_offset)
    if call.fault == REPLAY_INVALID_UTF8 { return (ReplayError.firstInvalidUTF8(record) ?? 0, nil) }
    guard call.fault != REPLAY_NOT_JSON || storage.bytes[call.fault_offset] == UInt8(ascii: "{") else {
      return (0, nil)
    }
    guard let fault = JSONGrammar.fault(in: record), fault.byteOffset < record.count else { return (0, nil) }
    return (fault.byteOffset, fault.expected)
  }

  private static func words(_ fault: replay_fault) -> (text: String, next: String?) {
    switch fault {
    case REPLAY_INVALID_UTF8: return ("expected UTF-8, found other bytes", nil)
    case REPLAY_UNCLOSED_STRING: return ("a string is not closed", nil)
    case REPLAY_CONTROL_CHARACTER: return ("a string holds a control character that is not escaped", nil)
    case REPLAY_NOT_OBJECT: return ("expected a JSON object, found another value", nil)
    case REPLAY_UNFINISHED: return ("the record is cut off: its brackets do not close", nil)
    case REPLAY_TWO_VALUES_ON_LINE:
      return (
        "expected the end of the line, found a second value", "if that is how it was written: --format json-concat"
      )
    case REPLAY_VALUE_OVER_LINES:
      return (
        "expected one value a line, found one over several", "if that is how it was written: --format json-concat"
      )
    case REPLAY_BAD_ESCAPE: return ("a string has an escape that JSON does not know", nil)
    case REPLAY_BAD_NUMBER: return ("expected the record's own number, found none that fits 64 bits", nil)
    case REPLAY_NUL: return ("a text that the function reads holds NUL (\\u0000), which no database text can", nil)
    case REPLAY_NO_SEPARATOR: return ("expected a comma between two elements of the array", nil)
    default: return ("expected JSON, found something else", nil)
    }
  }

  /// A record that says which partition it is of must be of its file's: else another file lies under this name.
  func checkPartitions(_ block: RecordBlock) throws {
    try segment.partition.id.withUnsafeBytes { id in
      for record in 0..<block.count {
        let slice = block.fields[record * block.fieldCount + partitionColumn]
        if slice.kind == .missing || block.text(slice).bytes.elementsEqual(id) { continue }
        throw ReplayError(
          .data, "a record is of another partition than its file: \(segment.name)",
          details: [
            "position \(block.position(at: record).describedFor(segment)): expected partition \(segment.partition.name), found "
              + ReplayError.excerpt(block.text(slice))
          ], next: "two files were perhaps exchanged or renamed: put the right one here, then run the same command"
        ).at(segment, ordinal: ordinal)
      }
    }
  }

  func tooLong(_ call: replay_block? = nil) -> ReplayError {
    let ordinal = call?.fault_ordinal ?? ordinal
    let begins = base + UInt64(call?.fault_offset ?? 0)
    return ReplayError(
      .data, "archive file has a record above the limit of \(limits.maxRecordBytes) bytes: \(segment.name)",
      details: ["record \(ordinal + 1) begins at decompressed byte \(begins) and does not end within the limit"],
      next: "run again with a larger --max-record-bytes, if the record is meant to be that long"
    ).at(segment, ordinal: ordinal)
  }

  func unfinished(_ expected: String) -> ReplayError {
    ReplayError(
      .data, "archive file ends inside a record: \(segment.name)",
      details: ["expected \(expected) before the file's end, after record \(ordinal), decompressed byte \(base)"],
      next: "fetch this file again, then run the same command"
    ).at(segment, ordinal: ordinal)
  }

  func notThis(_ framing: Framing) -> ReplayError {
    ReplayError(
      .data, "archive file is not \(framing.rawValue): \(segment.name)",
      details: ["expected `[` at its start"], next: "leave --format out, so that the content decides"
    ).at(segment, ordinal: 0)
  }
}

extension Position {
  fileprivate func describedFor(_ segment: Segment) -> String {
    switch segment.numbering {
    case .counted: "position \(self)"
    case .explicit: "its own number is not known"
    case .place: "line place \(index)"
    }
  }
}
