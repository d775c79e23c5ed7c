/// An event as far as it is compared with the stream's: what it says, not how it was stored.
public struct PrintedEvent: Sendable, Hashable {
  /// Of an archived event, as the archive counts it; of a lower bound, not the stream's.
  public let position: Position
  public let print: PayloadPrint

  public init(position: Position, print: PayloadPrint) {
    self.position = position
    self.print = print
  }
}

/// Two events are one where any print that both have is equal.
public struct PayloadPrint: Sendable, Hashable {
  /// Of the payload's bytes.
  public let bytes: UInt64
  /// Of the payload without white space between its tokens.
  public let tokens: UInt64

  public init(bytes: UInt64, tokens: UInt64) {
    self.bytes = bytes
    self.tokens = tokens
  }

  public func isSame(as other: PayloadPrint) -> Bool { bytes == other.bytes || tokens == other.tokens }
}
