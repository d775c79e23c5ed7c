/// One clear error: what is wrong, where, what was expected and found, what it means for what was committed, and what
/// to do next.
public struct ReplayError: Error, Sendable {
  /// Ends the process with its raw value (sysexits where one fits).
  public enum Code: Int32, Sendable, CaseIterable {
    case unexpected = 1
    /// Finished, but records were left out because a flag allowed it.
    case incomplete = 3
    /// What was compared is not the same.
    case different = 4
    case usage = 64
    /// The archive is damaged, its chain is broken, or an event is not what the function said.
    case data = 65
    /// The archive is missing, or nothing in it can be read.
    case missing = 66
    case unavailable = 69
    case cannotCreate = 73
    /// Try again: the store is locked.
    case temporary = 75
    /// Another run owns the function.
    case fenced = 76
    case permission = 77
    /// The store was made by another version or shape of the function, or for another archive.
    case config = 78
    /// What comes next has passed the stream's retention: there would be a hole.
    case expired = 79
    /// The stream's events are not those of the archive.
    case otherStream = 80
    /// The stream ends before the archive does.
    case beyondEnd = 81
    /// Nothing proves that the stream goes on where the archive ends.
    case unproved = 82
    /// A benchmark was slower than asked.
    case threshold = 99
    /// What was waited for did not happen in time.
    case timeout = 124
  }

  public var code: Code
  public var summary: String
  /// Lines of place and evidence, from the outside in.
  public var details: [String]
  /// What was and was not committed; filled in by whoever knows.
  public var effect: String?
  public var next: String?
  /// The record it is about; nil where the error is not about one record.
  public var place: Place?
  /// Set where a function could not apply an event and nothing else is wrong.
  public var fault: FunctionFault?

  /// A record's place: everything before it in its segment is good.
  public struct Place: Sendable, Hashable {
    public let segment: String
    public let ordinal: UInt64
    public init(segment: String, ordinal: UInt64) {
      self.segment = segment
      self.ordinal = ordinal
    }
  }

  public init(
    _ code: Code, _ summary: String, details: [String] = [], effect: String? = nil, next: String? = nil
  ) {
    self.code = code
    self.summary = summary
    self.details = details
    self.effect = effect
    self.next = next
  }

  /// The same error, known to be about this record.
  public func at(_ segment: Segment, ordinal: UInt64) -> ReplayError {
    var error = self
    error.place = Place(segment: segment.name, ordinal: ordinal)
    return error
  }

  /// The same error, known to be this function's at this event.
  public func at(_ fault: FunctionFault) -> ReplayError {
    var error = at(fault.place.segment, ordinal: fault.place.ordinal)
    error.fault = fault
    return error
  }
}

extension ReplayError: CustomStringConvertible {
  public var description: String {
    var lines = ["replay: \(summary)"] + details.map { "  \($0)" }
    if let effect { lines.append("  effect: \(effect)") }
    if let next { lines.append("  next:   \(next)") }
    return lines.map(ReplayError.line).joined(separator: "\n")
  }
}

extension ReplayError {
  /// A text as one line on a terminal, whatever a file's name or an answer has put into it: control characters, line ends
  /// too, as `\u{1b}`.
  public static func line(_ text: String) -> String {
    // Of two bytes in UTF-8 the control characters above ASCII begin with this one.
    guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f || $0 == 0xc2 }) else { return text }
    var line = ""
    for scalar in text.unicodeScalars {
      if scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) {
        line += "\\u{" + String(scalar.value, radix: 16) + "}"
      } else {
        line.unicodeScalars.append(scalar)
      }
    }
    return line
  }

  /// Event data as it may be shown on a terminal: control characters and bytes that are no UTF-8 escaped, at most `limit`
  /// bytes.
  public static func excerpt(_ text: Text, limit: Int = 80) -> String {
    var parser = Unicode.UTF8.ForwardParser()
    var bytes = text.bytes.prefix(limit).makeIterator()
    var rest = text.bytes.prefix(limit)
    var shown = ""
    while true {
      switch parser.parseScalar(from: &bytes) {
      case .valid(let units):
        let scalar = Unicode.UTF8.decode(units)
        let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
        shown += isControl ? "\\x" + hex2(UInt8(scalar.value)) : String(scalar)
        rest = rest.dropFirst(units.count)
      case .error(let length):
        for byte in rest.prefix(length) { shown += "\\x" + hex2(byte) }
        rest = rest.dropFirst(length)
      case .emptyInput: return text.count > limit ? shown + "…" : shown
      }
    }
  }

  /// Where the bytes stop being UTF-8; nil where they are.
  public static func firstInvalidUTF8(_ text: Text) -> Int? {
    var parser = Unicode.UTF8.ForwardParser()
    var bytes = text.bytes.makeIterator()
    var place = 0
    while true {
      switch parser.parseScalar(from: &bytes) {
      case .valid(let units): place += units.count
      case .error: return place
      case .emptyInput: return nil
      }
    }
  }

  private static func hex2(_ byte: UInt8) -> String {
    let text = String(byte, radix: 16)
    return text.count == 1 ? "0" + text : text
  }
}
