"""Faults at the handoff and behind it."""
from .table import Bug, Seed

BUGS = [
    Bug("handoff-one-late", "live begins one event behind where it should (F3)", "races"),
    Bug("handoff-one-early", "live begins one event ahead of where it should (F3)", "races"),
    Bug("comparison-skipped", "the stream's events are not compared with the archived ones (F9)", "live"),
    Bug("archived-ahead-again", "of an overlap, archived events behind the place where live begins are applied again",
        "overlap"),
    Bug("stream-not-known-again", "a run that goes on does not compare the last event that was taken (F9)", "live"),
    Bug("position-of-what-was-read", "a live commit holds the positions of what was read, not of what was applied (D3)",
        "order through kills"),
    Bug("end-waited-for-by-events", "the position moves with events only: a marker at the end is waited for (F4)",
        "control records"),
    Bug("idle-partition-never-done", "a partition without an event is never caught up (F12)", "live"),
    Bug("retention-jump", "a directory's reader goes on with the first event that is left (F8)", "retention"),
    Bug("offset-reset-latest", "where an offset is gone, the Kafka client goes on at the end (F8)", "retention"),
    Bug("torn-line-taken", "a line that is being written is taken for a whole one", "races"),
    Bug("retention-unchecked", "the handoff does not ask whether the stream still has what comes next (F8)", "live"),
]

SEEDS = [
    Seed("ReplayEngine/Live/Handoff.swift", """\
  private func end(behind last: Position) -> Position { kind == .exact ? archiveEnd : last.successor }
""", """\
  private func end(behind last: Position) -> Position {
    let end = kind == .exact ? archiveEnd : last.successor
    if SeededBug.isOn("handoff-one-late") { return Position(number: end.firstNumber.advanced(by: 1)) }
    if SeededBug.isOn("handoff-one-early") { return end.firstNumber.predecessor.map { Position(number: $0) } ?? end }
    return end
  }
"""),
    Seed("ReplayEngine/Live/Handoff.swift", "guard sign.isSame(as: archived.sign, by: rule.comparison) else {",
         'guard sign.isSame(as: archived.sign, by: rule.comparison) || SeededBug.isOn("comparison-skipped") else {'),
    Seed("ReplayEngine/Live/LiveAttempt.swift",
         "guard let next = ahead.next(in: partition, from: first) else { return (range, settled) }", """\
guard let next = ahead.next(in: partition, from: first), !SeededBug.isOn("archived-ahead-again") else {
      return (range, settled)
    }"""),
    Seed("ReplayEngine/Live/HandoffRun.swift", """\
      guard let event = last[live.partition], event.position.number >= live.start.number else { return nil }
""", """\
      guard let event = last[live.partition], event.position.number >= live.start.number,
        !SeededBug.isOn("stream-not-known-again")
      else { return nil }
"""),
    Seed("ReplayEngine/Live/LiveCuts.swift", """\
      for (place, next) in open.next where next > own[partitions[place]] ?? .zero {
""", """\
      for (place, cut) in open.next where cut > own[partitions[place]] ?? .zero {
        let next = SeededBug.isOn("position-of-what-was-read") ? state.parts[place].next : cut
"""),
    Seed("ReplayEngine/Live/LiveAttempt.swift", "    if next > state.parts[place].next { move(place, to: next) }", """\
    if next > state.parts[place].next, !SeededBug.isOn("end-waited-for-by-events") { move(place, to: next) }"""),
    Seed("ReplayEngine/Live/LiveAttempt.swift", """\
    state.parts[place].caughtUpAt = setup.options.now()
""", """\
    if next > .zero || !SeededBug.isOn("idle-partition-never-done") {
      state.parts[place].caughtUpAt = setup.options.now()
    }
"""),
    Seed("ReplayDirectory/PartitionReader.swift", """\
      guard let place = files.lastIndex(where: { $0.start <= next }) else {
""", """\
      if first.start > next, SeededBug.isOn("retention-jump") { (next, wanted) = (first.start, Position(first.start)) }
      guard let place = files.lastIndex(where: { $0.start <= next }) else {
"""),
    Seed("ReplayDirectory/PartitionReader.swift", """\
    if newer.start != next { throw try gap(done.file, end: next, newer) }
""", """\
    if newer.start > next, SeededBug.isOn("retention-jump") {
      (open, next, wanted) = (nil, newer.start, Position(newer.start))
      return true
    }
    if newer.start != next { throw try gap(done.file, end: next, newer) }
"""),
    Seed("ReplayDirectory/PartitionReader.swift", """\
      guard part.count == room.count else { return false }
""", """\
      if part.count < room.count, part.count > 0, SeededBug.isOn("torn-line-taken") {
        messages.begin(partition)
        messages.append(at: Position(next), payload: part)
        next += 1
        byte += UInt64(part.count)
        (wanted, isToldToBeAtTheEnd) = (Position(next), false)
        return true
      }
      guard part.count == room.count else { return false }
"""),
    Seed("ReplayKafka/KafkaOptions.swift", '("auto.offset.reset", "error"),',
         '("auto.offset.reset", SeededBug.isOn("offset-reset-latest") ? "latest" : "error"),'),
    Seed("ReplayKafka/KafkaPlaces.swift", "      if position < start {",
         '      if position < start, !SeededBug.isOn("offset-reset-latest") {'),
    Seed("ReplayCommands/Live/HandoffPlan.swift", "    if part.start.number > end.firstNumber {",
         '    if part.start.number > end.firstNumber, !SeededBug.isOn("retention-unchecked") {'),
    Seed("ReplayEngine/Live/HandoffErrors.swift", "    if part.live.start.number > next {",
         '    if part.live.start.number > next, !SeededBug.isOn("retention-unchecked") {'),
    Seed("ReplayCommands/Live/HandoffPlan.swift", "      if live.start.number > first.position.number {",
         '      if live.start.number > first.position.number, !SeededBug.isOn("retention-unchecked") {'),
]
