/// Events of one partition as a stream delivers them, their bytes one after another. Reused from one delivery to the next.
public final class LiveMessages {
  /// One event: ranges of `bytes`.
  public struct Message: Sendable, Hashable {
    public let position: Position
    /// Nil: there is none (a tombstone).
    public let payload: Range<Int>?
    /// The stream's own key, apart from the payload; nil where it has none.
    public let key: Range<Int>?
    /// The headers as a JSON array, `[{"key":"…","value":"…"}]`; nil where there are none.
    public let headers: Range<Int>?
    /// When it was written, in milliseconds since 1970; nil where nobody says.
    public let time: Int64?
  }

  public private(set) var partition: Partition
  public private(set) var bytes: [UInt8] = []
  public private(set) var messages: [Message] = []
  /// The position to read next once these are read.
  public var next: Position

  public init(partition: Partition) {
    self.partition = partition
    next = .zero
  }

  public var count: Int { messages.count }

  /// Empties it for events of this partition; the memory stays.
  public func begin(_ partition: Partition) {
    self.partition = partition
    bytes.removeAll(keepingCapacity: true)
    messages.removeAll(keepingCapacity: true)
  }

  /// Adds the event at `position`, which is behind all before it, and moves `next` behind it.
  public func append(
    at position: Position, payload: UnsafeRawBufferPointer?, key: UnsafeRawBufferPointer? = nil,
    headers: UnsafeRawBufferPointer? = nil, time: Int64? = nil
  ) {
    let message = Message(
      position: position, payload: payload.map(add), key: key.map(add), headers: headers.map(add), time: time)
    messages.append(message)
    next = position.successor
  }

  /// Leaves out what is at `bound` or behind it, which is then to be read next.
  public func end(before bound: Position) {
    guard bound < next else { return }
    messages.removeLast(messages.reversed().prefix { $0.position >= bound }.count)
    next = bound
  }

  private func add(_ part: UnsafeRawBufferPointer) -> Range<Int> {
    let start = bytes.count
    bytes.append(contentsOf: part)
    return start..<bytes.count
  }
}

extension LiveMessages {
  /// Recognised by their content alone. `print`: of a payload; of nil, that of a tombstone.
  public func signs(_ print: (UnsafeRawBufferPointer?) -> PayloadPrint) -> [EventSign] {
    bytes.withUnsafeBytes { bytes in
      messages.map { message in
        EventSign(print: print(message.payload.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) }))
      }
    }
  }
}
