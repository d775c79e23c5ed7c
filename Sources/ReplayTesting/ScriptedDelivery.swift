import ReplayCore

/// What a scripted stream says next to one reader.
extension ScriptedStream.Reading {
  /// What was found, without the messages: those are in their own object.
  enum Said {
    case messages
    case caughtUp(Partition, UInt64)
    case opened(Partition, parents: [Partition])
    case closed(Partition)
  }

  mutating func look(into messages: LiveMessages, _ script: inout ScriptedLog.Script, _ options: ScriptedStream.Options)
    throws -> Said?
  {
    if let named, let new = script.partitions.keys.filter({ !named.contains($0) }).min() {
      self.named?.insert(new)
      return .opened(new, parents: script.partitions[new]?.parents ?? [])
    }
    let order = cursors.keys.sorted()
    for _ in order.indices {
      turn = (turn + 1) % order.count
      let partition = order[turn]
      guard var cursor = cursors[partition], var state = script.partitions[partition] else { continue }
      defer {
        cursors[partition] = cursor
        script.partitions[partition]?.faults = state.faults
      }
      messages.begin(partition)
      if let end = try cursor.deliver(
        partition, &state, atMost: random.number(1...options.maxMessages), options, messages)
      {
        return .caughtUp(partition, end)
      }
      if messages.count > 0 { return .messages }
      if let said = cursor.end(partition, state) { return said }
    }
    return nil
  }
}

extension ScriptedCursor {
  /// Delivers what there is. An end that is told too early, as the script wants it, is answered.
  fileprivate mutating func deliver(
    _ partition: Partition, _ state: inout ScriptedPartition, atMost most: Int, _ options: ScriptedStream.Options,
    _ messages: LiveMessages
  ) throws -> UInt64? {
    if let entry = again {
      again = nil
      messages.append(entry)
      return nil
    }
    if next < state.start { throw LiveError.expired(partition, wanted: wanted, start: Position(state.start)) }
    if next > state.tail { throw LiveError.beyondEnd(partition, wanted: wanted, end: Position(state.end)) }
    var place = state.index(of: next)
    while place < state.entries.count, messages.count < most, messages.bytes.count < options.maxBytes {
      let entry = state.entries[place]
      guard entry.number < state.end else { break }
      switch state.faults[entry.number] {
      case nil: messages.append(entry)
      case .lose: break
      case .duplicate:
        messages.append(entry)
        again = entry
      case .earlyCaughtUp:
        // In front of the event: what is before it goes first.
        if messages.count > 0 { return nil }
        state.faults[entry.number] = nil
        return entry.number
      case .reorder:
        guard place + 1 < state.entries.count, state.entries[place + 1].number < state.end else { return nil }
        place += 1
        messages.append(state.entries[place])
        messages.append(entry)
      }
      state.faults[entry.number] = nil
      passed(state.entries[place].number)
      place += 1
      if again != nil { return nil }
    }
    return nil
  }

  private mutating func passed(_ number: UInt64) {
    next = number + 1
    wanted = Position(number).successor
    toldEnd = nil
  }

  /// What is to be said where no event is left.
  fileprivate mutating func end(_ partition: Partition, _ state: ScriptedPartition) -> ScriptedStream.Reading.Said? {
    let first = state.index(of: next)
    if first < state.entries.count, state.entries[first].number < state.end { return nil }
    // Numbers that nobody has are passed without a word.
    next = max(next, state.end)
    if let transaction = state.transaction, transaction.holdsCaughtUp { return nil }
    if toldEnd != next {
      toldEnd = next
      return .caughtUp(partition, next)
    }
    guard state.isClosed, !isToldClosed else { return nil }
    isToldClosed = true
    return .closed(partition)
  }
}

extension LiveMessages {
  fileprivate func append(_ entry: ScriptedPartition.Entry) {
    func lend(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> Void) {
      if let bytes { bytes.withUnsafeBytes { body($0) } } else { body(nil) }
    }
    let draft = entry.draft
    lend(draft.payload) { payload in
      lend(draft.key) { key in
        lend(draft.headers) { headers in
          append(at: Position(entry.number), payload: payload, key: key, headers: headers, time: draft.time)
        }
      }
    }
  }
}
