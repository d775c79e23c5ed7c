import ReplayCore

/// What a test lets happen to a scripted stream; from any thread, also while it is read. A partition that is named here
/// must have been opened.
extension ScriptedStream {
  /// A new, empty partition whose first record will have this number.
  @discardableResult
  public func open(_ id: String, at start: UInt64 = 0, parents: [Partition] = []) -> Partition {
    let partition = partition(id)
    shared.script.withLock { script in
      precondition(script.partitions[partition] == nil, "partition \(partition) was opened before")
      script.partitions[partition] = ScriptedPartition(start: start, parents: parents)
    }
    return partition
  }

  /// No more events will come from it.
  public func end(_ partition: Partition) { change(partition) { $0.isClosed = true } }

  @discardableResult
  public func append(_ draft: LiveDraft, to partition: Partition) -> Position {
    change(partition) { state in
      precondition(!state.isClosed, "partition \(partition) is closed")
      state.entries.append(.init(number: state.tail, draft: draft))
      state.tail += 1
      return Position(state.tail - 1)
    }
  }

  @discardableResult
  public func append(_ payload: String, key: String? = nil, to partition: Partition) -> Position {
    append(LiveDraft(payload, key: key), to: partition)
  }

  /// So many numbers that no event has: compacted, aborted, or control records.
  public func skip(_ count: UInt64, in partition: Partition) { change(partition) { $0.tail += count } }

  /// Takes the event out, as compaction does.
  public func compact(_ number: UInt64, in partition: Partition) {
    change(partition) { state in
      let place = state.index(of: number)
      if place < state.entries.count, state.entries[place].number == number { state.entries.remove(at: place) }
    }
  }

  /// What is appended from now on cannot be read until `commit` or `abort`: the stream ends here for its readers.
  ///
  /// - Parameter holdsCaughtUp: nothing is said at this end; else it is told as any other.
  public func begin(in partition: Partition, holdsCaughtUp: Bool = true) {
    change(partition) { $0.transaction = .init(first: $0.tail, holdsCaughtUp: holdsCaughtUp) }
  }

  /// Ends the transaction with a control record.
  public func commit(in partition: Partition) {
    change(partition) { state in
      state.transaction = nil
      state.tail += 1
    }
  }

  /// Ends the transaction with a control record; its events keep their numbers and are never delivered.
  public func abort(in partition: Partition) {
    change(partition) { state in
      if let first = state.transaction?.first { state.entries.removeAll { $0.number >= first } }
      state.transaction = nil
      state.tail += 1
    }
  }

  /// Everything before the number has passed retention.
  public func expire(before number: UInt64, in partition: Partition) {
    change(partition) { state in
      state.start = max(state.start, number)
      state.tail = max(state.tail, state.start)
      state.entries.removeFirst(state.index(of: number))
    }
  }

  /// Everything from the number on is gone, as where a stream was made anew.
  public func cut(from number: UInt64, in partition: Partition) {
    change(partition) { state in
      state.entries.removeSubrange(state.index(of: number)...)
      state.tail = min(state.tail, number)
      state.start = min(state.start, number)
      state.transaction = nil
    }
  }

  /// Nothing is said for so long.
  public func stall(milliseconds: UInt64) {
    shared.script.withLock { $0.stalledUntil = max($0.stalledUntil, clock.milliseconds + milliseconds) }
  }

  /// So many looks into the stream find nothing. A poll looks once, and again whenever it has waited.
  public func stall(looks: Int) { shared.script.withLock { $0.stalledLooks += looks } }

  /// From now on it says that it cannot be reached, and why; nil: that it can. What is delivered does not change.
  public func lose(_ reason: String?) { shared.script.withLock { $0.outage = reason } }

  /// The next so many calls of `poll` or `partitions` throw it.
  public func fail(_ times: Int = 1, with error: any Error = ScriptedStream.leaderMoved) {
    shared.script.withLock { $0.failures += Array(repeating: error, count: times) }
  }

  public static let leaderMoved = ReplayError(
    .unavailable, "the scripted stream's leader moved", next: "run the command again")

  /// Breaks the contract at the event of this number, once. The event may be appended later.
  public func violate(_ fault: LiveFault, at number: UInt64, in partition: Partition) {
    change(partition) { $0.faults[number] = fault }
  }

  /// Runs it in the first poll that begins, or waits, when so much time has passed from now on.
  public func after(milliseconds: UInt64, _ run: @escaping @Sendable (ScriptedStream) -> Void) {
    let at = clock.milliseconds + milliseconds
    shared.script.withLock { script in
      let place = script.later.firstIndex { $0.at > at } ?? script.later.count
      script.later.insert((at, run), at: place)
    }
  }

  /// Every event that a reader from the beginning gets, with its position: what an answer is compared with.
  public func readable(_ partition: Partition) -> [(position: Position, draft: LiveDraft)] {
    change(partition) { state in
      state.entries.filter { $0.number < state.end }.map { (Position($0.number), $0.draft) }
    }
  }

  @discardableResult
  private func change<Result>(
    _ partition: Partition, _ body: (inout sending ScriptedPartition) -> sending Result
  ) -> Result {
    shared.script.withLock { script in
      precondition(script.partitions[partition] != nil, "there is no partition \(partition)")
      // In place: a copy of the log for each event would make long scripts slow.
      return body(&script.partitions[partition, default: ScriptedPartition(start: 0, parents: [])])
    }
  }
}
