import ReplayCore

/// How a lane applies where events may be left: what a bad event did is taken back, and everything else of its block
/// stays.
///
/// A block is applied whole at first. Only where the function throws, the part before the event that it was looking at,
/// that event, and the part behind it are applied apart.
extension Lane {
  func applyLeaving(_ block: RecordBlock, _ selection: UnsafeBufferPointer<UInt32>?) throws {
    for index in projections.indices {
      let hasBad = !badEvents[index].isEmpty && badEvents[index].mayHave(block.segment)
      if sessions[index] != nil, !hasBad {
        try applyBySession(index, block, selection)
      } else if hasBad || !left[index].parkedKeys.isEmpty {
        try applyChosen(index, block, wanted(index, block, selection))
      } else if let record = try attempt(index, block, selection) {
        try applyAround(record, index, block, wanted(index, block, selection)[...])
      }
    }
  }

  /// The function's records of the block, or of the selection in it.
  private func wanted(
    _ index: Int, _ block: RecordBlock, _ selection: UnsafeBufferPointer<UInt32>?
  ) -> [UInt32] {
    let mask: UInt32 = 1 << UInt32(index)
    return (0..<(selection?.count ?? block.count)).map { selection?[$0] ?? UInt32($0) }.filter {
      block.masks[Int($0)] & mask != 0
    }
  }

  /// Applies what is neither parked nor known to be bad, up to each event that is.
  private func applyChosen(_ index: Int, _ block: RecordBlock, _ records: [UInt32]) throws {
    var good: [UInt32] = []
    for record in records {
      let place = block.place(of: Int(record))
      guard let fault = badEvents[index].fault(at: place) else {
        // A session leaves events of parked keys itself.
        if sessions[index] != nil || !queue(index, block, record) { good.append(record) }
        continue
      }
      try applyGood(index, block, good)
      good = []
      if queue(index, block, record) { continue }
      guard leave(index, block, record, fault.reason) else {
        throw ReplayError(.unexpected, "an event is known to be bad where none may be left")
      }
    }
    try applyGood(index, block, good, isLast: true)
  }

  private func applyGood(_ index: Int, _ block: RecordBlock, _ records: [UInt32], isLast: Bool = false) throws {
    if records.isEmpty { return }
    guard sessions[index] != nil else { return try applyAll(index, block, records[...]) }
    try records.withUnsafeBufferPointer { try applyBySession(index, block, $0) }
    // What it has taken in comes before the event that is left now.
    if !isLast { try settleSession(index) }
  }

  private func applyBySession(
    _ index: Int, _ block: RecordBlock, _ selection: UnsafeBufferPointer<UInt32>?
  ) throws {
    try withBatch(of: index, in: block, selection) { batch in
      try prepare(index, batch)
      do { try sessions[index]?.apply(batch, changes[index], left[index]) } catch {
        throw failure(error, of: projections[index], in: block, at: cursor.pointee)
      }
    }
  }

  // MARK: Functions without a session

  /// Applies the records but for those that fail, and for those behind them that are parked thereby.
  private func applyAll(_ index: Int, _ block: RecordBlock, _ records: ArraySlice<UInt32>) throws {
    if records.isEmpty { return }
    if let record = try attempt(index, block, records) { try applyAround(record, index, block, records) }
  }

  /// The same once it is known that the function failed while it looked at `record`.
  private func applyAround(
    _ record: Int, _ index: Int, _ block: RecordBlock, _ records: ArraySlice<UInt32>
  ) throws {
    var (records, record) = (records, record)
    while true {
      let place = records.firstIndex(of: UInt32(record)) ?? records.startIndex
      let before = records[..<place]
      // Where the function had looked ahead, each is tried by itself.
      if !before.isEmpty, try attempt(index, block, before) != nil {
        for one in before { try applyOne(index, block, one) }
      }
      try applyOne(index, block, records[place])
      records = records[(place + 1)...].filter { !queue(index, block, $0) }[...]
      guard !records.isEmpty, let next = try attempt(index, block, records) else { return }
      record = next
    }
  }

  private func applyOne(_ index: Int, _ block: RecordBlock, _ record: UInt32) throws {
    if queue(index, block, record) { return }
    var thrown: (any Error)?
    guard try attempt(index, block, [record], &thrown) != nil, let thrown else { return }
    if !leave(index, block, record, Lane.reason(thrown, of: projections[index])) {
      throw failure(thrown, of: projections[index], in: block, at: Int(record))
    }
  }

  private func attempt(_ index: Int, _ block: RecordBlock, _ records: ArraySlice<UInt32>) throws -> Int? {
    var thrown: (any Error)?
    return try attempt(index, block, records, &thrown)
  }

  private func attempt(
    _ index: Int, _ block: RecordBlock, _ records: ArraySlice<UInt32>, _ thrown: inout (any Error)?
  ) throws -> Int? {
    try records.withUnsafeBufferPointer { try attempt(index, block, $0, &thrown) }
  }

  private func attempt(_ index: Int, _ block: RecordBlock, _ selection: UnsafeBufferPointer<UInt32>?) throws -> Int? {
    var thrown: (any Error)?
    return try attempt(index, block, selection, &thrown)
  }

  /// Applies the records, or nothing of them: then the record is answered that the function was looking at.
  private func attempt(
    _ index: Int, _ block: RecordBlock, _ selection: UnsafeBufferPointer<UInt32>?, _ thrown: inout (any Error)?
  ) throws -> Int? {
    guard let trial = trials?[index] else { return nil }
    return try withBatch(of: index, in: block, selection) { batch in
      try prepare(index, batch)
      trial.begin(batch)
      cursor.pointee = selection?.first.map { Int($0) } ?? 0
      do { try projections[index].apply(batch, trial.changes) } catch {
        trial.drop()
        if error is KeyedRows.KeyInTwoPartitions || error is ReplayError {
          throw failure(error, of: projections[index], in: block, at: cursor.pointee)
        }
        thrown = error
        return cursor.pointee
      }
      do { try trial.keep() } catch {
        throw ReplayError(
          .data, "a value does not fit its column: function \(projections[index].name)", details: ["\(error)"],
          next: "mend the function, or the events that add up to it")
      }
      return nil
    }
  }

  // MARK: Leaving

  /// Leaves the event behind others of its key; false where that is not parked.
  private func queue(_ index: Int, _ block: RecordBlock, _ record: UInt32) -> Bool {
    guard let key = key(block, record), left[index].isParked(key) else { return false }
    left[index].queue(
      block.place(of: Int(record)), key: Array(key.bytes), record: Array(block.text(block.records[Int(record)]).bytes))
    return true
  }

  private func leave(_ index: Int, _ block: RecordBlock, _ record: UInt32, _ reason: String) -> Bool {
    left[index].leave(
      block.place(of: Int(record)), key: key(block, record).map { Array($0.bytes) } ?? [],
      record: Array(block.text(block.records[Int(record)]).bytes), error: reason, attempts: 1)
  }

  private func key(_ block: RecordBlock, _ record: UInt32) -> Text? {
    guard extraction.keyColumn >= 0 else { return nil }
    let slice = block.fields[Int(record) * block.fieldCount + extraction.keyColumn]
    return (slice.kind == .string || slice.kind == .number) && slice.count > 0 ? block.text(slice) : nil
  }
}
