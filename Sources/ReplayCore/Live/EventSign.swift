/// What an event is recognised by where an archive and a stream are compared.
public struct EventSign: Sendable, Hashable {
  public let print: PayloadPrint
  /// The hash of its id; nil where it has none, or nobody asked.
  public let id: UInt64?
  /// When it happened, in milliseconds since 1970; nil where it does not say, or nobody asked.
  public let time: Int64?

  public init(print: PayloadPrint, id: UInt64? = nil, time: Int64? = nil) {
    self.print = print
    self.id = id
    self.time = time
  }

  /// How two events are found to be one.
  public enum Comparison: String, Sendable, CaseIterable {
    /// Their payloads are the same bytes, or the same JSON but for white space.
    case content
    /// Their ids are equal; of events without one, their payloads. For a sink that writes the JSON anew.
    case id
  }

  public func isSame(as other: EventSign, by comparison: Comparison) -> Bool {
    if comparison == .id, let id, let otherID = other.id { return id == otherID }
    return print.isSame(as: other.print)
  }
}

/// An event as far as it is compared. `position`: of an archived one, as the archive counts it.
public struct SignedEvent: Sendable, Hashable {
  public let position: Position
  public let sign: EventSign

  public init(position: Position, sign: EventSign) {
    self.position = position
    self.sign = sign
  }
}
