import ReplayCore

/// How far a function that writes by itself was served beyond the last commit.
extension StoreConformance {
  static let markCases: [Case] = [
    Case(description: "a mark is there for the next run, without a commit and without an end") { subject, _ in
      try marked(subject)
    },
    Case(description: "a commit forgets the marks that it reaches, of its partitions") { subject, _ in
      try reached(subject)
    },
    Case(description: "open windows are the last commit's, partition by partition, until a refresh") { subject, _ in
      try windows(subject)
    },
    Case(description: "a refresh forgets all marks, and every run has a higher number") { subject, _ in
      try refreshedMarks(subject)
    },
  ]

  private static let first = Partition(log: "orders", id: "0")
  private static let second = Partition(log: "orders", id: [0xff, 0x00])
  private static let low = KeyRange(lane: 0, of: 2), high = KeyRange(lane: 1, of: 2)

  private static func mark(_ partition: Partition, _ range: KeyRange, _ next: UInt64) -> DeliveryMark {
    DeliveryMark(partition: partition, range: range, next: Position(next, index: 1))
  }

  static func marked(_ subject: StoreUnderTest) throws {
    let function = Ledger().function
    let store = try subject.run([function]).store
    let marks: Set = [mark(first, low, 10), mark(first, high, 7), mark(second, low, 3)]
    // A mark never goes back.
    for mark in marks.sorted(by: { $0.next < $1.next }) + [mark(first, low, 9)] {
      try store.keep(mark, of: function.name)
    }
    // As after a kill: the run before is not closed.
    let (again, checkpoints) = try subject.run([function])
    try expect(Set(checkpoints[0].delivered), is: marks, "marks of a run that was not closed")
    try expect(checkpoints[0].frontier, is: [:], "positions, which a mark does not move")
    try again.close()
  }

  static func reached(_ subject: StoreUnderTest) throws {
    let function = Ledger().function
    let store = try subject.run([function]).store
    for mark in [mark(first, low, 10), mark(first, high, 20), mark(second, low, 10)] {
      try store.keep(mark, of: function.name)
    }
    _ = try store.commit(epoch(function, [], at: [first: Position(10, index: 1)], events: 11))
    try store.close()
    try expect(
      Set(subject.checkpoint(function).delivered), is: [mark(first, high, 20), mark(second, low, 10)],
      "marks behind the committed position, and of a partition that stayed")
  }

  static func windows(_ subject: StoreUnderTest) throws {
    let function = Ledger().function
    func window(_ start: Int64, _ state: String) -> OpenWindow {
      OpenWindow(start: start, end: start + 300, state: Array(state.utf8))
    }
    let steps: [[Partition: OpenWindow]] = [
      [first: window(-300, "{}"), second: window(0, #"{"é\u0000":"\""}"#)], [:], [first: window(300, #"{"n":1.50}"#)],
    ]
    var known: [Partition: OpenWindow] = [:]
    for (place, step) in steps.enumerated() {
      var change = epoch(function, [], at: [first: Position(UInt64(place + 1))], events: 1)
      change.functions[0].windows = step
      let store = try subject.run([function]).store
      _ = try store.commit(change)
      try store.close()
      known.merge(step) { $1 }
      try expect(subject.checkpoint(function).windows, is: known, "open windows after commit \(place + 1)")
    }
    let (again, after) = try subject.run([function], refresh: true)
    try expect(after[0].windows, is: [:], "windows once all is forgotten")
    try again.close()
  }

  static func refreshedMarks(_ subject: StoreUnderTest) throws {
    let function = Ledger().function
    let (store, before) = try subject.run([function])
    try store.keep(mark(first, low, 10), of: function.name)
    try store.close()
    let (again, after) = try subject.run([function], refresh: true)
    try expect(after[0].delivered, is: [], "marks once all is forgotten")
    try expect(after[0].run > before[0].run, is: true, "the number of a later run is higher")
    try again.close()
  }
}
