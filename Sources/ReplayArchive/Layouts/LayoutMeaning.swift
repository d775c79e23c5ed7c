import ReplayCore

/// Concludes from the layout, its names and one record where the parts of an event are and what positions mean.
struct LayoutMeaning {
  let survey: NameSurvey
  let overrides: AnatomyOverrides
  let entry: SegmentEntry?
  let sample: RecordSample?

  private var layout: LayoutKind { survey.names.layout }
  private var envelope: Envelope {
    if layout == .kcr { return .fields }
    guard let sample, layout != .gharchive else { return .none }
    let found = Envelope(sample)
    // The Confluent sink writes values only: what looks like its envelope is the event.
    return layout == .confluent && found != .schema ? .none : found
  }

  func detected(evidence: [String]) throws -> DetectedLayout {
    try checkCassette()
    let keysFiles = try usesKeysFiles()
    let anatomy = overrides.applied(to: written)
    let numbering = numbering(anatomy)
    var lines = evidence + [nameLine] + recordLines(anatomy, keysFiles: keysFiles)
    if layout == .gharchive, overrides.key == nil {
      lines.append("the partition key is the repository, repo.name; --key actor.login would take the person")
    }
    if keysFiles { lines.append("the partition keys are in the .keys files beside the segments") }
    if !survey.keys.isEmpty, !keysFiles {
      lines.append("the .keys files are not read: the partition key is \(anatomy.key)")
    }
    let order = order(numbering)
    let end = end(numbering)
    return DetectedLayout(
      layout: layout, pattern: survey.names.pattern, evidence: lines + [order.sentence, end.sentence],
      anatomy: anatomy, framing: sample?.framing, numberingKind: numbering, orderStrength: order, endStrength: end,
      partitionsSeparateKeys: overrides.key == nil && layout != .firehose, usesKeysFiles: keysFiles)
  }

  /// Where the writer put the parts, before anybody overrides it. CloudEvents members are inside the payload.
  private var written: Anatomy {
    var anatomy = Anatomy()
    if layout == .gharchive, sample?.members.contains("specversion") != true {
      anatomy.key = JSONPath(members: ["repo", "name"])
      anatomy.time = JSONPath(members: ["created_at"])
      return anatomy
    }
    let member = layout == .kcr ? "value" : envelope.payload
    guard let payload = member.map({ JSONPath(members: [$0]) }) else { return anatomy }
    anatomy.payload = payload
    anatomy.type = payload.appending(anatomy.type)
    anatomy.time = payload.appending(anatomy.time)
    anatomy.id = payload.appending(anatomy.id)
    anatomy.key = sample.flatMap { envelope.key($0) } ?? payload.appending(anatomy.key)
    if layout == .kcr || envelope == .fields || envelope == .metadata {
      anatomy.headers = JSONPath(members: ["headers"])
    }
    if layout == .kcr {
      anatomy.payloadEncoding = .hex
      anatomy.key = JSONPath(members: ["key"])
      anatomy.position = JSONPath(members: ["offset"])
      anatomy.partition = JSONPath(members: ["partition"])
    } else if numbersAreUsable {
      anatomy.position = sample.flatMap { envelope.position($0) }
      // What a pattern calls a partition need not be the source's own number.
      if layout != .pattern { anatomy.partition = sample.flatMap { envelope.partition($0) } }
    }
    return anatomy
  }

  /// A record's number counts only within a partition, so the name must say which.
  private var numbersAreUsable: Bool {
    switch layout {
    case .confluent, .aiven, .lenses, .kcr: true
    case .pattern: survey.names.pattern?.has(.partition) ?? false
    case .firehose, .gharchive, .plain: false
    }
  }

  private func numbering(_ anatomy: Anatomy) -> NumberingKind {
    if anatomy.position != nil { return .explicit }
    guard let first = survey.parsed.first else { return .place }
    return first.first != nil || first.last != nil ? .counted : .place
  }

  private func order(_ numbering: NumberingKind) -> OrderStrength {
    if numbering != .place { return .exact }
    return layout == .firehose ? .none : .names
  }

  private func end(_ numbering: NumberingKind) -> EndStrength {
    switch numbering {
    case .explicit: .exact
    case .counted: .lowerBound
    case .place: .none
    }
  }

  private func checkCassette() throws {
    guard layout == .kcr, let entry, let sample else { return }
    guard !Set(sample.members).isSuperset(of: ["offset", "value"]) else { return }
    throw ReplayError(
      .data, "this file is named like a kcr cassette, but its first record is not one: \(shown(entry.name))",
      details: ["expected members: offset, key, value", "found:            \(memberList(sample.members))"],
      next: "name another --layout")
  }

  /// Keys files count where they are JSON; other formats only where the key is somewhere else.
  private func usesKeysFiles() throws -> Bool {
    guard overrides.key == nil, let first = survey.keys.first else { return false }
    if survey.keys.allSatisfy({ NameText($0.name).extensions.contains("json") }) { return true }
    if sample?.members.contains("partitionkey") ?? false { return false }
    throw ReplayError(
      .data, "the files with the partition keys are not JSON: \(shown(first.name))",
      details: ["keys in Avro or bytes are not supported yet, and the record has no member partitionkey"],
      next: "say with --key which member of the payload is the partition key")
  }
}

/// The lines for a person.
extension LayoutMeaning {
  private var nameLine: String {
    let topics = Set(survey.parsed.map(\.topic)).filter { !$0.isEmpty }.sorted()
    let partitions = Set(survey.parsed.map { [$0.topic, $0.partition] }).count
    let list = topics.prefix(5).map(shown).joined(separator: ", ") + (topics.count > 5 ? "…" : "")
    let about = topics.isEmpty ? "" : " of \(list)"
    return "\(counted(survey.segments.count, "segment"))\(about) in \(counted(partitions, "partition"))"
  }

  private func recordLines(_ anatomy: Anatomy, keysFiles: Bool) -> [String] {
    guard let entry, let sample else { return ["no record was seen: all files looked at are empty"] }
    var lines = ["the first record of \(shown(entry.name)) has the members \(memberList(sample.members))"]
    if let payload = anatomy.payload {
      let number = anatomy.position.map { ", its number in \($0)" } ?? ", its number counted from the name"
      lines.append("so it is an envelope: the event is in \(payload), its key in \(anatomy.key)\(number)")
    }
    let absent = absentMembers(anatomy, sample).filter { !keysFiles || !$0.hasPrefix("key ") }
    if !absent.isEmpty {
      let list = absent.joined(separator: ", ")
      lines.append("not in that record: \(list); --key, --type, --time and --id say where they are")
    }
    return lines
  }

  /// Parts of the event that the first record does not have, as far as the sample can tell.
  private func absentMembers(_ anatomy: Anatomy, _ sample: RecordSample) -> [String] {
    guard anatomy.payloadEncoding == .json else { return [] }
    let parts = [("key", anatomy.key), ("type", anatomy.type), ("time", anatomy.time), ("id", anatomy.id)]
    return parts.filter { part in
      let members = part.1.members
      if members.count == 1 { return !sample.members.contains(members[0]) }
      guard members.count == 2, let inner = sample.nested[members[0]] else { return false }
      return !inner.contains(members[1])
    }.map { "\($0.0) (\($0.1))" }
  }

  private func memberList(_ members: [String]) -> String {
    members.prefix(12).map(shown).joined(separator: ", ") + (members.count > 12 ? "…" : "")
  }
}
