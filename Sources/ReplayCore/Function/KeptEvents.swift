/// What a store keeps of one function's events that were left: until they are applied after all, or dropped.
public struct KeptEvents: Sendable, Hashable {
  /// Keys whose events are left, untried. Bytes: two texts that Swift holds for equal may be two keys.
  public var parkedKeys: Set<[UInt8]> = []
  public var parked: UInt64 = 0
  public var dead: UInt64 = 0
  /// Of keys, records and errors.
  public var byteCount = 0

  public init() {}

  public var isEmpty: Bool { parked == 0 && dead == 0 }

  public mutating func add(_ events: some Sequence<LeftEvent>) {
    for event in events {
      byteCount += event.byteCount
      switch event.state {
      case .dead: dead += 1
      case .parked:
        parked += 1
        parkedKeys.insert(event.key)
      }
    }
  }
}

/// One of them, with the store's own number: ascending in the order in which they were left.
public struct KeptEvent: Sendable {
  public let number: Int64
  public let event: LeftEvent

  public init(number: Int64, event: LeftEvent) {
    self.number = number
    self.event = event
  }
}

/// Which of them. Each condition that is not nil must hold.
public struct KeptFilter: Sendable {
  public var state: LeftEvent.State?
  public var key: [UInt8]?
  /// The partition's id, or its topic, a slash and its id, on either side.
  public var partition: [UInt8]?
  public var position: Position?
  /// With every event that has the state and the key of one that meets the conditions: a queue is not taken apart.
  public var wholeKeys = false

  public init(
    state: LeftEvent.State? = nil, key: [UInt8]? = nil, partition: [UInt8]? = nil, position: Position? = nil,
    wholeKeys: Bool = false
  ) {
    self.state = state
    self.key = key
    self.partition = partition
    self.position = position
    self.wholeKeys = wholeKeys
  }

  public func matches(_ event: LeftEvent) -> Bool {
    (state ?? event.state) == event.state && (key ?? event.key) == event.key
      && (partition.map { names($0, event.place.partition) } ?? true)
      && (position ?? event.place.position) == event.place.position
  }

  private func names(_ text: [UInt8], _ partition: Partition) -> Bool {
    text == partition.id || text == Array(partition.log.utf8) + [UInt8(ascii: "/")] + partition.id
  }
}

/// What became of a kept event that was tried again: told to the store in the commit that holds its rows.
public struct RetriedEvent: Sendable {
  public let number: Int64
  /// Nil: it was applied, and is kept no more.
  public let error: String?

  public init(number: Int64, error: String?) {
    self.number = number
    self.error = error
  }
}
