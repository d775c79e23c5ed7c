"""Faults in what becomes of events that a function cannot apply, and in what it is told."""
from .table import Bug, Seed

BUGS = [
    Bug("bad-event-skipped", "an event that its function cannot apply is passed over and kept nowhere (A14)", "failed"),
    Bug("parked-key-goes-on", "later events of a parked key are applied, ahead of the bad one (C5)", "failed"),
    Bug("item-failures-ignored", "batchItemFailures in an answer are ignored: all of the batch counts as done", "order"),
    Bug("retry-goes-last", "an event that is tried again goes behind the later ones of its batch (C5)", "order"),
    Bug("mark-one-ahead", "what is kept as delivered is one event more than was answered (C6)", "order through kills"),
    Bug("window-state-not-stored", "a window's state is not in the commit: a killed run begins it anew (D6)", "windows"),
    Bug("failed-event-not-stored", "the commit holds the positions of events that were left, not the events", "failed"),
]

FOREIGN = "ReplayFunctions/Session/ForeignSession.swift"

SEEDS = [
    Seed("ReplayEngine/LaneLeaving.swift", """\
    if !leave(index, block, record, Lane.reason(thrown, of: projections[index])) {
""", """\
    if left[index].policy.choice != .fail, SeededBug.isOn("bad-event-skipped") { return }
    if !leave(index, block, record, Lane.reason(thrown, of: projections[index])) {
"""),
    Seed("ReplayCore/Function/LeftEvents.swift", "{ !parkedKeys.isEmpty && parkedKeys.contains(key) }",
         '{ !parkedKeys.isEmpty && parkedKeys.contains(key) && !SeededBug.isOn("parked-key-goes-on") }'),
    Seed("ReplayCore/Function/LeftEvents.swift", "    !parkedKeys.isEmpty && hashes.contains(key.keyHash)", """\
    !SeededBug.isOn("parked-key-goes-on") && !parkedKeys.isEmpty && hashes.contains(key.keyHash)"""),
    Seed("ReplayFunctions/Lambda/BatchResponse.swift", "    if response.hasFailed {",
         '    if response.hasFailed, !SeededBug.isOn("item-failures-ignored") {'),
    Seed("ReplayFunctions/Session/BatchWork.swift", """\
      parts.append(Part(events: rest, attempts: attempts))
      let doubled""", """\
      let turned = SeededBug.isOn("retry-goes-last") ? Array(rest.dropFirst() + rest.prefix(1)) : rest
      parts.append(Part(events: turned, attempts: attempts))
      let doubled"""),
    Seed(FOREIGN, """\
    try log.delivered(last.place.partition, keys, next: last.place.position.successor)
""", """\
    var next = last.place.position.successor
    if SeededBug.isOn("mark-one-ahead") {
      next = next.index > 1 ? next.successor : Position(number: next.number.advanced(by: 1), index: 1)
    }
    try log.delivered(last.place.partition, keys, next: next)
"""),
    Seed("ReplaySQL/CheckpointRows.swift", "    for (partition, window) in change.windows {",
         '    for (partition, window) in change.windows where !SeededBug.isOn("window-state-not-stored") {'),
    Seed("ReplaySQL/KeptRows.swift", "    if change.left.isEmpty { return }",
         '    if change.left.isEmpty || SeededBug.isOn("failed-event-not-stored") { return }'),
]
