import ReplayCore

/// Events that were left: kept with the commit that passed them, and told again.
extension StoreConformance {
  static let keptCases: [Case] = [
    Case(description: "events that were left come back as they were, in their order") { subject, seed in
      try comeBack(subject, seed)
    },
    Case(description: "parked keys are known when a store is opened") { subject, _ in try parkedKeys(subject) },
    Case(description: "events that were left are asked for by state, key, partition and position") { subject, _ in
      try filtered(subject)
    },
    Case(description: "what is tried again leaves with its rows, or stays with another error") { subject, _ in
      try retried(subject)
    },
    Case(description: "a refused commit keeps and forgets nothing") { subject, _ in try fencedKept(subject) },
    Case(description: "a refresh forgets the events that were left, of its function only") { subject, _ in
      try refreshedKept(subject)
    },
  ]

  static func left(
    _ position: Position, _ state: LeftEvent.State, _ key: [UInt8], partition: Partition = Partition(log: "o", id: "0"),
    record: [UInt8] = Array("{}".utf8), error: String? = "no number", segment: String = "o/0/1.gz"
  ) -> LeftEvent {
    let numbering: Numbering = position.index > 0 ? .place(position.number) : .counted(from: position.number)
    let segment = Segment(
      entry: SegmentEntry(name: segment, size: 9, version: "v"), partition: partition, numbering: numbering)
    return LeftEvent(
      place: EventPlace(segment: segment, ordinal: position.number.low % 1000, position: position), state: state,
      key: key, record: record, error: error, attempts: error == nil ? 0 : 1)
  }

  /// Everything of an event, as text to compare.
  static func line(_ event: LeftEvent) -> String {
    let place = event.place
    let parts = [
      place.partition.log, place.partition.side.rawValue, "\(place.partition.id)", place.segment.name,
      "\(place.ordinal)", "\(place.position)", "\(place.segment.position(mark: place.mark))", event.state.rawValue,
      "\(event.key)", "\(event.record)", event.error ?? "untried", "\(event.attempts)",
    ]
    return parts.joined(separator: "|")
  }

  private static func kept(
    _ store: any Store, _ function: StoreFunction, _ filter: KeptFilter = KeptFilter(), limit: Int = 100
  ) throws -> [KeptEvent] {
    var found: [KeptEvent] = []
    while true {
      let next = try store.kept(of: function.name, filter, after: found.last?.number ?? 0, limit: limit)
      if next.isEmpty { return found }
      found += next
    }
  }

  private static func keep(_ events: [LeftEvent], _ function: StoreFunction, in store: any Store) throws {
    var change = epoch(function, [], events: UInt64(events.count))
    change.functions[0].left = events
    guard case .committed = try store.commit(change) else { throw violation("a commit of left events is refused") }
  }

  static func comeBack(_ subject: StoreUnderTest, _ seed: UInt64) throws {
    let ledger = Ledger()
    var chance = StoreRandom(seed: seed)
    var expected: [String] = []
    let keys: [[UInt8]] = [[], [0], [0xff, 0xfe, 0], Array("a".utf8), Array("e\u{301}".utf8), Array("\u{e9}".utf8)]
    for round in 0..<4 as Range<UInt64> {
      let events = (0..<30 as Range<UInt64>).map { _ in
        let side: Side = chance.next() % 2 == 0 ? .archive : .live
        let wide = WideNumber(high: chance.next() >> 2, middle: chance.next(), low: chance.next() >> 1)
        let number = chance.next() % 3 == 0 ? wide : WideNumber(low: chance.next() >> 2)
        return left(
          Position(number: number, index: chance.next() % 2 == 0 ? 0 : chance.next() >> 2),
          chance.next() % 2 == 0 ? .parked : .dead, keys.randomElement(using: &chance) ?? [],
          partition: Partition(log: "o", side: side, id: [UInt8(round), 0xff]),
          record: (0..<chance.next() % 90).map { _ in UInt8.random(in: 0...255, using: &chance) },
          error: chance.next() % 4 == 0 ? nil : "line 1\nline '2'", segment: "a|b/\(round)")
      }
      let store = try subject.run([ledger.function]).store
      try keep(events, ledger.function, in: store)
      try store.close()
      expected += events.map(line)
    }
    let (store, checkpoints) = try subject.run([ledger.function])
    for limit in [1, 7, 1000] {
      let found = try kept(store, ledger.function, limit: limit)
      try expect(found.map { line($0.event) }, is: expected, "left events, \(limit) at a time")
    }
    try expect(checkpoints[0].events, is: 120, "events settled")
    try store.close()
  }

  static func parkedKeys(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let (store, checkpoints) = try subject.run([ledger.function])
    try expect(checkpoints[0].kept, is: KeptEvents(), "what an empty store keeps")
    let keys: [[UInt8]] = [[1], [2, 0], Array("ü".utf8)]
    try keep(
      [
        left(Position(1), .parked, keys[0]), left(Position(2), .parked, keys[1], error: nil),
        left(Position(3), .dead, keys[2]), left(Position(4), .parked, keys[0], record: [1, 2, 3], error: nil),
      ], ledger.function, in: store)
    try store.close()
    let found = try subject.checkpoint(ledger.function).kept
    try expect(found.parkedKeys, is: [keys[0], keys[1]], "parked keys")
    try expect([found.parked, found.dead], is: [3, 1], "parked events and dead letters")
    try expect(found.byteCount, is: 1 + 2 + 9 + 2 + 2 + 2 + 2 + 9 + 1 + 3, "bytes that are kept")
  }

  static func filtered(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let store = try subject.run([ledger.function]).store
    let (one, live) = (Partition(log: "o", id: "1"), Partition(log: "o", side: .live, id: "1"))
    let events = [
      left(Position(1), .parked, [1]), left(Position(2), .parked, [2]), left(Position(3), .dead, [1]),
      left(Position(4), .parked, [1], partition: one, error: nil), left(Position(5), .parked, [2], error: nil),
      left(Position(4), .dead, [3], partition: live),
    ]
    try keep(events, ledger.function, in: store)
    let cases: [(KeptFilter, [Int])] = [
      (KeptFilter(), [0, 1, 2, 3, 4, 5]), (KeptFilter(state: .dead), [2, 5]), (KeptFilter(key: [1]), [0, 2, 3]),
      (KeptFilter(partition: Array("1".utf8)), [3, 5]), (KeptFilter(state: .parked, position: Position(4)), [3]),
      (KeptFilter(state: .parked, position: Position(4), wholeKeys: true), [0, 3]),
      (KeptFilter(position: Position(5), wholeKeys: true), [1, 4]), (KeptFilter(key: []), []),
      (KeptFilter(partition: Array("o/1".utf8)), [3, 5]), (KeptFilter(partition: Array("p/1".utf8)), []),
    ]
    for (filter, places) in cases {
      let found = try kept(store, ledger.function, filter).map { line($0.event) }
      try expect(found, is: places.map { line(events[$0]) }, "left events of \(filter)")
    }
    try store.close()
  }

  static func retried(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let store = try subject.run([ledger.function]).store
    let events = (1...4 as ClosedRange<UInt64>).map { left(Position($0), $0 == 4 ? .dead : .parked, [UInt8($0 % 2)]) }
    try keep(events, ledger.function, in: store)
    let numbers = try kept(store, ledger.function).map(\.number)
    try expect(numbers.count, is: 4, "events that are kept")
    let touches = [Touch(account: "a", amount: 5)]
    var change = epoch(ledger.function, [try ledger.fold(touches)])
    change.functions[0].retried = [
      RetriedEvent(number: numbers[0], error: nil), RetriedEvent(number: numbers[1], error: "still none"),
      RetriedEvent(number: numbers[2], error: nil), RetriedEvent(number: numbers[3], error: nil),
    ]
    guard case .committed = try store.commit(change) else { throw violation("a commit of retried events is refused") }
    try subject.expectRows(ledger.expected(touches), "rows of what was tried again")
    let again = LeftEvent(
      place: events[1].place, state: .parked, key: events[1].key, record: events[1].record, error: "still none",
      attempts: 2)
    try expect(try kept(store, ledger.function).map { line($0.event) }, is: [line(again)], "what stays")
    try store.close()
    let known = try subject.checkpoint(ledger.function)
    try expect(known.kept.parkedKeys, is: [[0]], "keys that stay parked")
    try expect([known.kept.parked, known.kept.dead], is: [1, 0], "events that stay")
    try expect(known.events, is: 4, "what is tried again was settled before")
  }

  static func fencedKept(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let first = try subject.run([ledger.function]).store
    try keep([left(Position(1), .parked, [1])], ledger.function, in: first)
    guard let number = try kept(first, ledger.function).first?.number else { throw violation("nothing is kept") }
    let second = try subject.run([ledger.function]).store
    var change = epoch(ledger.function, [])
    change.functions[0].left = [left(Position(2), .dead, [2])]
    change.functions[0].retried = [RetriedEvent(number: number, error: nil)]
    if case .committed = try first.commit(change) { throw violation("a run that was taken over commits") }
    try first.close()
    let found = try kept(second, ledger.function).map { line($0.event) }
    try expect(found, is: [line(left(Position(1), .parked, [1]))], "left events after a refused commit")
    try second.close()
  }

  static func refreshedKept(_ subject: StoreUnderTest) throws {
    let first = Ledger(name: "first", table: "first_ledger")
    let second = Ledger(name: "second", table: "second_ledger")
    for ledger in [first, second] {
      let store = try subject.run([ledger.function]).store
      try keep([left(Position(1), .parked, [1]), left(Position(2), .dead, [2])], ledger.function, in: store)
      try store.close()
    }
    let (store, checkpoints) = try subject.run([first.function], refresh: true)
    try expect(checkpoints[0].kept, is: KeptEvents(), "what is kept after a refresh")
    try expect(try kept(store, first.function).count, is: 0, "left events after a refresh")
    try store.close()
    try expect(try subject.checkpoint(second.function).kept.parkedKeys, is: [[1]], "parked keys of another function")
  }
}
