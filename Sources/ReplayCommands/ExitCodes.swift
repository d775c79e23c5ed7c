/// The documented exit codes, for the manual; the README has the same table, and a test makes each of them.
enum ExitCodes {
  static let all: [(code: String, meaning: String)] = [
    ("0", "Every event is settled, now or before."), ("1", "Something that should not happen."),
    ("2", "Only plan --detailed-exitcode: there is work to do."),
    ("3", "Done, but something was left out because a flag allows it, or is kept because it could not be applied."),
    ("4", "Only diff and compare: the two have different rows."), ("64", "Usage."),
    ("65", "The archive is damaged, its chain is broken, or an event is not what the function declares."),
    ("66", "There is no such archive, or nothing in it can be read; or no such database."),
    ("69", "A disk or service failed."),
    ("73", "Something cannot be created."),
    ("75", "The store is locked, or its answer was lost; handoff: the group has members."),
    ("76", "Another run took the function over; handoff: the group has read further."),
    ("77", "Permission."),
    ("78", "The store was made by another version, shape or reading of the function, or through another filter."),
    ("79", "Events have passed the stream's retention: there would be a hole."),
    ("80", "The stream's events are not the archive's."), ("81", "The stream ends before the archive."),
    ("82", "Nothing proves the handoff."), ("99", "Only bench --threshold: slower than asked."),
    ("124", "Only wait: the event was not settled in time."),
    ("130, 143", "Stopped by Ctrl-C or SIGTERM; what was read whole is committed."),
  ]
}
