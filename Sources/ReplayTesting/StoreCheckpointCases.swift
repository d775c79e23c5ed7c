import ReplayCore

extension StoreConformance {
  static let checkpointCases: [Case] = [
    Case(description: "nothing is there before a commit") { subject, _ in try emptyAtFirst(subject) },
    Case(description: "a commit makes rows and positions visible together") { subject, _ in try together(subject) },
    Case(description: "reopening answers exactly what was committed") { subject, _ in try reopened(subject) },
    Case(description: "partitions with binary names and wide positions") { subject, _ in try partitions(subject) },
    Case(description: "a half-read segment is known until its partition moves on") { subject, _ in try halfRead(subject)
    },
    Case(description: "a function that is live stays live") { subject, _ in try phases(subject) },
    Case(description: "a commit of two functions is one commit") { subject, _ in try twoFunctions(subject) },
    Case(description: "a closed store writes nothing") { subject, _ in try closed(subject) },
  ]

  static func emptyAtFirst(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let (store, checkpoints) = try subject.run([ledger.function])
    try expectEmpty(checkpoints[0])
    try subject.expectRows([], "rows before the first commit")
    try store.close()
    try expectEmpty(subject.checkpoint(ledger.function))
  }

  static func expectEmpty(_ checkpoint: Checkpoint) throws {
    try expect(checkpoint.frontier, is: [:], "positions of an empty store")
    try expect(checkpoint.settled, is: [], "segments of an empty store")
    try expect([checkpoint.events, checkpoint.epochs], is: [0, 0], "events and commits of an empty store")
    try expect(checkpoint.phase, is: .archive, "phase of an empty store")
    try expect(checkpoint.isFresh, is: true, "an empty store is fresh")
  }

  static func together(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let touches = [Touch(account: "a", amount: 5), Touch(account: "b", amount: -3)]
    let partition = Partition(log: "orders", id: "0")
    let store = try subject.run([ledger.function]).store
    let outcome = try store.commit(
      epoch(ledger.function, [try ledger.fold(touches)], at: [partition: Position(2)], events: 2))
    try expect(outcome, is: .committed(rows: 2), "a commit of two rows")
    try subject.expectRows(ledger.expected(touches), "rows once committed, the store still open")
    try store.close()
    let checkpoint = try subject.checkpoint(ledger.function)
    try expect(checkpoint.frontier, is: [partition: Position(2)], "positions once committed")
    try expect(checkpoint.events, is: 2, "events once committed")
    try expect(checkpoint.isFresh, is: false, "a store with rows is not fresh")
  }

  static func reopened(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let partition = Partition(log: "orders", id: "7")
    var settled: [SettledSegment] = []
    for step in 1...3 as ClosedRange<UInt64> {
      let segment = SettledSegment(
        partition: partition,
        entry: SegmentEntry(name: "orders/7/\(step).gz", size: .max >> step, version: "\"etag \(step)\""),
        digest: UInt64.max - step, records: step * 10, end: Position(step * 100, index: step))
      settled.append(segment)
      let store = try subject.run([ledger.function]).store
      try store.write(
        ledger.function, [], at: [partition: Position(step * 100, index: step)], settled: [segment], events: step * 10)
      try store.close()
      let checkpoint = try subject.checkpoint(ledger.function)
      try expect(checkpoint.frontier, is: [partition: Position(step * 100, index: step)], "the position")
      try expect(Set(checkpoint.settled), is: Set(settled), "the segments read to their end")
      try expect(checkpoint.events, is: step * (step + 1) * 5, "events of all runs")
      try expect(checkpoint.epochs, is: step, "commits of all runs")
      try expect(checkpoint.isFresh, is: true, "a function without rows is fresh")
    }
  }

  static func partitions(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let ids: [[UInt8]] = [[], [0], [0, 0], [0xff, 0xfe], Array("10".utf8), Array("2".utf8), Array("ü|'".utf8)]
    var frontier: [Partition: Position] = [:]
    for (place, id) in ids.enumerated() {
      let number = WideNumber(high: UInt64(place) << 50, middle: .max, low: UInt64(place))
      frontier[Partition(log: "orders", id: id)] = Position(number: number, index: UInt64(Int64.max) - UInt64(place))
      frontier[Partition(log: "orders", side: .live, id: id)] = Position(UInt64(place))
      frontier[Partition(log: "", id: id)] = .zero
    }
    let store = try subject.run([ledger.function]).store
    try store.write(ledger.function, [], at: frontier)
    let moved = Partition(log: "orders", id: [0])
    try store.write(ledger.function, [], at: [moved: Position(4)])
    frontier[moved] = Position(4)
    try store.close()
    try expect(subject.checkpoint(ledger.function).frontier, is: frontier, "positions of many partitions")
  }

  static func phases(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let partition = Partition(log: "orders", side: .live, id: "0")
    for (phase, known) in [(nil, Phase.archive), (.live, .live), (nil, .live)] as [(Phase?, Phase)] {
      let store = try subject.run([ledger.function]).store
      var change = epoch(ledger.function, [], at: [partition: Position(7)])
      change.functions[0].phase = phase
      let event = PrintedEvent(
        position: Position(6), print: PayloadPrint(bytes: .max, tokens: UInt64(known.rawValue.count)))
      change.functions[0].lastEvents = [partition: event]
      let ahead = [Position(9), Position(number: WideNumber(high: 1, middle: 0, low: 0), index: 3)]
      if phase == .live { change.functions[0].archivedAhead = [partition: ahead] }
      _ = try store.commit(change)
      try store.close()
      try expect(subject.checkpoint(ledger.function).phase, is: known, "phase once committed")
      try expect(subject.checkpoint(ledger.function).lastEvents, is: [partition: event], "the stream's last event")
      try expect(
        subject.checkpoint(ledger.function).archivedAhead, is: known == .live ? [partition: ahead] : [:],
        "positions of the stream that are left out")
    }
  }

  static func halfRead(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let (first, second) = (Partition(log: "orders", id: "0"), Partition(log: "orders", id: "1"))
    let half = { (partition: Partition, size: UInt64) in
      HalfReadSegment(
        partition: partition, entry: SegmentEntry(name: "\(partition)/7", size: size, version: "v"),
        prefixBytes: size / 2,
        prefixDigest: .max - size)
    }
    let steps: [(frontier: [Partition: Position], halfRead: [HalfReadSegment], known: [HalfReadSegment])] = [
      (
        [first: Position(1), second: Position(1)], [half(first, 10), half(second, 20)],
        [half(first, 10), half(second, 20)]
      ),
      ([first: Position(2)], [half(first, 30)], [half(first, 30), half(second, 20)]),
      ([second: Position(2)], [], [half(first, 30)]),
    ]
    for (number, step) in steps.enumerated() {
      let store = try subject.run([ledger.function]).store
      var change = epoch(ledger.function, [], at: step.frontier)
      change.functions[0].halfRead = step.halfRead
      try expect(try store.commit(change), is: .committed(rows: 0), "a commit without rows")
      try store.close()
      let known = try subject.checkpoint(ledger.function).halfRead.sorted { $0.partition < $1.partition }
      try expect(known, is: step.known, "half-read segments after commit \(number + 1)")
    }
    try subject.run([ledger.function], refresh: true).store.close()
    try expect(try subject.checkpoint(ledger.function).halfRead, is: [], "half-read segments after a refresh")
  }

  static func twoFunctions(_ subject: StoreUnderTest) throws {
    let first = Ledger(name: "first", table: "first_ledger")
    let second = Ledger(name: "second", table: "second_ledger")
    let store = try subject.run([first.function, second.function]).store
    let touches = [Touch(account: "a", amount: 1)]
    let partition = Partition(log: "orders", id: "0")
    var both = try epoch(first.function, [first.fold(touches)], at: [partition: Position(1)], events: 1)
    both.functions += try epoch(second.function, [second.fold(touches)], at: [partition: Position(9)], events: 2)
      .functions
    try expect(try store.commit(both), is: .committed(rows: 2), "a commit of two functions")
    try subject.expectRows(first.expected(touches) + second.expected(touches), "rows of two functions")

    var failing = try epoch(first.function, [first.fold(touches)], at: [partition: Position(2)], events: 1)
    let tooMuch = [Touch(account: "a", amount: .max)]
    failing.functions += try epoch(second.function, [second.fold(tooMuch)], at: [partition: Position(10)]).functions
    _ = try expectError(.data, "a sum that leaves 64 bits in the second function") { _ = try store.commit(failing) }
    try subject.expectRows(first.expected(touches) + second.expected(touches), "rows after a failed commit")
    try store.close()
    let (reopened, checkpoints) = try subject.run([second.function, first.function])
    try expect(checkpoints.map { $0.frontier[partition] }, is: [Position(9), Position(1)], "each function's position")
    try expect(checkpoints.map(\.events), is: [2, 1], "each function's events")
    try reopened.close()
  }

  static func closed(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let store = try subject.run([ledger.function]).store
    try store.close()
    let change = epoch(ledger.function, [try ledger.fold([Touch(account: "a", amount: 1)])])
    _ = try expectError(.unexpected, "a commit to a closed store") { _ = try store.commit(change) }
    try subject.expectRows([], "rows after a commit to a closed store")
  }
}
