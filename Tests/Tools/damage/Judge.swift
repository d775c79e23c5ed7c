import ReplayCore

/// Why an archive's own bytes and names cannot tell that it is damaged. There are no other reasons.
enum Unprovable: String, CaseIterable, Sendable {
  /// Plain files, Firehose, hours of GH Archive: events have no numbers, so whole records and files may be missing, doubled
  /// or exchanged; of hours only one between two others shows.
  case noNumbers = "the layout has no numbers"
  /// Nothing behind a partition's last file says that there was more.
  case openEnd = "the end of a partition is missing, and nothing says where it was"
  /// An archive may begin anywhere; the run says so where it is not at 0.
  case openBeginning = "the beginning of a partition is missing (it is said)"
  /// Values alone are numbered by counting, so inside a file only their count can be wrong.
  case countOnly = "values are numbered by counting: only their count can be wrong"
  /// Aiven's envelope has offsets, not partitions: equal offsets of two partitions can be exchanged.
  case noPartition = "records do not say which partition they are of"
  /// A known limit of the README: keys and headers files are known again by their size alone.
  case besideReplaced = "mended later: a keys or headers file of the same size is not noticed (known limit)"
  /// A known limit of the README: what was applied of a frame before a fault in it cannot be compared with the mended file;
  /// the run says so and goes on.
  case halfFrame = "mended later: applied before a fault inside a frame, and not compared (known limit, it is said)"
  /// Frames that were cut inside records, put together otherwise: each is whole, and so is the JSON that they make.
  case fusedRecords = "whole frames that were cut inside records make records that nobody wrote"
  /// No checksum covers the bytes that became others, and what they make is still JSON.
  case noChecksum = "no checksum covers the changed bytes"
  /// The same, in the record that shows what all records are.
  case firstRecord = "no checksum covers the changed bytes of the first record, which shows the layout"
  /// A file's own content is whole, and only another file's number contradicts it.
  case laterFile = "refused, after events were applied that only a later file's number contradicts"
}

enum Verdict: Sendable {
  case refused
  case equal
  case unprovable(Unprovable)
  case failed(String)
}

/// Compares what was applied with what was sent.
struct Judge {
  let layout: Layout
  let sent: Oracle.Reading
  /// What the damaged archive says; nil where it is not made of whole pieces.
  let says: Oracle.Reading?
  let damaged: Damaged
  /// The touched file has the first record of the archive.
  let isFirst: Bool

  func verdict(_ outcome: Runner.Outcome, _ seen: Seen) -> Verdict {
    if let fault = seen.fault { return .failed(fault) }
    switch outcome {
    case .finished(let report):
      guard report.functions.allSatisfy({ $0.books.allSatisfy(\.books.balance) }) else {
        return .failed("the books do not balance")
      }
      if same(seen.events, sent.events) { return .equal }
      if let says, says.contradiction == nil, same(seen.events, says.events) { return reason(says.events) }
      if let reason = newBytes(seen.events, isWhole: true) { return .unprovable(reason) }
      let why = says.map { $0.contradiction ?? "it says other events" } ?? "its bytes are not whole"
      return .failed("ended well, but \(why): \(difference(seen.events))")
    case .refused(let error):
      guard error.code == .data || error.code == .missing, !error.summary.isEmpty, error.next != nil else {
        return .failed("refused with \(error.code), or without words: \(error)")
      }
      if begins(sent.events, with: seen.events) { return .refused }
      if let says, begins(says.events, with: seen.events) {
        if let reason = laterFile(says, seen.events) { return .unprovable(reason) }
      } else if let reason = newBytes(seen.events, isWhole: false) {
        return .unprovable(reason)
      }
      return .failed("refused, but damaged events were applied: \(difference(seen.events)); \(error.summary)")
    case .broken(let error): return .failed("broken: \(error)")
    }
  }

  // MARK: Reasons

  /// The archive contradicts itself nowhere and says other events than were sent.
  private func reason(_ events: [String: [Applied]]) -> Verdict {
    if !layout.isNumbered { return .unprovable(.noNumbers) }
    var reasons: Set<Unprovable> = []
    for (partition, own) in sent.events {
      let found = events[partition] ?? []
      if found == own { continue }
      if own.starts(with: found) {
        reasons.insert(.openEnd)
      } else if own.suffix(found.count).elementsEqual(found) {
        reasons.insert(.openBeginning)
      } else if layout.numbers == .counted {
        reasons.insert(.countOnly)
      } else if !layout.recordsNamePartition, isOfAnother(found, than: own) {
        reasons.insert(.noPartition)
      } else {
        return .failed("nothing explains that it ended well: \(difference(events))")
      }
    }
    if events.keys.contains(where: { sent.events[$0] == nil }) {
      return .failed("partitions that nobody wrote: \(events.keys.sorted())")
    }
    return Unprovable.allCases.first { reasons.contains($0) }.map { .unprovable($0) } ?? .failed("nothing differs")
  }

  /// The same numbers, and each event is one of any partition.
  private func isOfAnother(_ found: [Applied], than own: [Applied]) -> Bool {
    let all = Set(sent.events.values.joined())
    return found.allSatisfy { all.contains($0) } && zip(found, own).allSatisfy { $0.number == $1.number }
  }

  /// Records carry no numbers that would have shown it in the file itself.
  private func laterFile(_ says: Oracle.Reading, _ events: [String: [Applied]]) -> Unprovable? {
    if !layout.isNumbered { return .noNumbers }
    if layout.numbers == .counted || says.contradiction == nil { return .laterFile }
    let others = sent.events.filter { !$0.value.starts(with: events[$0.key] ?? []) }
    if others.allSatisfy({ isOfAnother(events[$0.key] ?? [], than: $0.value) }) {
      return layout.recordsNamePartition ? nil : .noPartition
    }
    return events.allSatisfy { isRun($1, of: sent.events[$0] ?? []) } ? .openBeginning : nil
  }

  /// True where these are events one after another, as they were sent, from anywhere on.
  private func isRun(_ events: [Applied], of sent: [Applied]) -> Bool {
    guard let first = events.first, let place = sent.firstIndex(of: first) else { return events.isEmpty }
    return sent[place...].starts(with: events)
  }

  /// Bytes that nobody wrote: whatever they make lies in the touched file.
  private func newBytes(_ events: [String: [Applied]], isWhole: Bool) -> Unprovable? {
    guard let file = damaged.touched else { return nil }
    if damaged.damage.movesPieces, file.coding.cuts == .anywhere, says == nil {
      return sameElsewhere(events, file, isWhole) ? .fusedRecords : nil
    }
    guard damaged.damage.makesNewBytes, !file.coding.isProtected else { return nil }
    if sameElsewhere(events, file, isWhole) { return .noChecksum }
    let shows = isFirst && damaged.byte < (file.coding.layers.isEmpty ? file.parts[0].count : Int.max)
    return shows ? .firstRecord : nil
  }

  private func sameElsewhere(_ events: [String: [Applied]], _ file: ArchiveFile, _ isWhole: Bool) -> Bool {
    let touched = layout.partition(file.partition)
    for partition in Set(events.keys).union(sent.events.keys) where partition != touched {
      let (own, found) = (sent.events[partition] ?? [], events[partition] ?? [])
      guard isWhole ? own == found : own.starts(with: found) else { return false }
    }
    let (own, found) = (sent.events[touched] ?? [], events[touched] ?? [])
    // Numbers begin at 0 and rise by one, so they are places too.
    let before = Int(file.first)
    guard found.prefix(before).elementsEqual(own.prefix(min(before, found.count))) else { return false }
    let behind = own.count - Int(file.last) - 1
    return !isWhole || found.count >= before && found.suffix(behind).elementsEqual(own.suffix(behind))
  }

  // MARK: Comparing

  private func same(_ a: [String: [Applied]], _ b: [String: [Applied]]) -> Bool {
    a.filter { !$0.value.isEmpty } == b.filter { !$0.value.isEmpty }
  }

  /// True where each partition has a beginning of its events and nothing else.
  private func begins(_ all: [String: [Applied]], with some: [String: [Applied]]) -> Bool {
    some.allSatisfy { partition, events in all[partition]?.starts(with: events) ?? events.isEmpty }
  }

  private func difference(_ events: [String: [Applied]]) -> String {
    for partition in Set(events.keys).union(sent.events.keys).sorted() {
      let (own, found) = (sent.events[partition] ?? [], events[partition] ?? [])
      if own == found { continue }
      let place = zip(own, found).firstIndex { $0 != $1 } ?? min(own.count, found.count)
      return "\(partition) has \(found.count) events of \(own.count), others from place \(place) on"
    }
    return "no difference"
  }
}

extension Sequence {
  fileprivate func firstIndex(where isIt: (Element) -> Bool) -> Int? {
    enumerated().first { isIt($0.element) }?.offset
  }
}
