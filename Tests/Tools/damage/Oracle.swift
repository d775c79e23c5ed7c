/// What an archive says once it was damaged, found without the code under test: its bytes are compared with the pieces and
/// records that it was made of. Nothing here decompresses or reads JSON.
struct Oracle {
  /// What the archive says now.
  struct Reading: Equatable {
    /// The events of each partition, in order.
    var events: [String: [Applied]] = [:]
    /// What in it contradicts something else in it: no reader may end well.
    var contradiction: String?
  }

  let archive: MadeArchive
  private var layout: Layout { archive.layout }

  init(_ archive: MadeArchive) { self.archive = archive }

  /// Nil where some file is not made of whole pieces and whole records any more.
  func read(_ files: [ArchiveFile]) -> Reading? {
    var segments: [Segment] = []
    for file in files where file.role == .values {
      guard let records = records(of: file) else { return nil }
      segments.append(Segment(file: file, records: records))
    }
    var reading = Reading()
    if layout.hasKeysFiles, !join(&segments, files, &reading) { return nil }
    for (partition, own) in Dictionary(grouping: segments, by: \.file.partition) {
      let sorted = own.sorted { (number($0.file), $0.file.order) < (number($1.file), $1.file.order) }
      judge(sorted, &reading)
      reading.events[layout.partition(partition)] = sorted.flatMap(applied)
    }
    return reading
  }

  private struct Segment {
    let file: ArchiveFile
    let records: [SentEvent]
    var keys: [String]?
    var headers: [String?]?
  }

  private func number(_ file: ArchiveFile) -> UInt64 {
    layout.namesLast ? file.last : layout.namesFirst ? file.first : 0
  }

  private func applied(_ segment: Segment) -> [Applied] {
    segment.records.enumerated().map { place, event in
      let number: UInt64? =
        switch layout.numbers {
        case .counted: segment.file.first + UInt64(place)
        case .explicit: event.number
        case .hours, .none: nil
        }
      return event.applied(
        number: number, key: segment.keys?[safe: place], headers: segment.headers?[safe: place] ?? event.headers)
    }
  }

  // MARK: The chain, said again in a few lines

  private func judge(_ segments: [Segment], _ reading: inout Reading) {
    func contradict(_ why: String) { reading.contradiction = reading.contradiction ?? why }
    var expected: UInt64?
    for (index, segment) in segments.enumerated() {
      let file = segment.file
      let numbers = segment.records.map(\.number)
      if index > 0, layout.isNumbered, layout.name != "kcr", number(file) == number(segments[index - 1].file) {
        contradict("two files of one number")
      }
      switch layout.numbers {
      case .counted:
        if let expected, expected != file.first { contradict("\(file.name) begins at \(file.first), not \(expected)") }
        expected = file.first + UInt64(numbers.count)
      case .explicit:
        if numbers.isEmpty, layout.namesFirst || layout.namesLast { contradict("\(file.name) has no records") }
        guard let first = numbers.first, let last = numbers.last else { continue }
        if numbers != Array(first...max(first, last)) { contradict("the numbers of \(file.name) do not rise by one") }
        if layout.namesFirst, file.first != first { contradict("\(file.name) begins with \(first)") }
        if layout.namesLast, file.last != last { contradict("\(file.name) ends with \(last)") }
        if let expected, expected != first { contradict("\(file.name) begins at \(first), not \(expected)") }
        expected = last + 1
      case .hours:
        if let expected, expected != UInt64(file.order) { contradict("an hour is missing before \(file.name)") }
        expected = UInt64(file.order) + 1
      case .none: break
      }
      let isOthers = segment.records.contains { $0.partition != file.partition }
      if layout.recordsNamePartition, isOthers { contradict("\(file.name) has records of another partition") }
    }
  }

  // MARK: Keys and headers

  /// False where a file beside is not made of whole lines.
  private func join(_ segments: inout [Segment], _ files: [ArchiveFile], _ reading: inout Reading) -> Bool {
    func contradict(_ why: String) { reading.contradiction = reading.contradiction ?? why }
    for role in [ArchiveFile.Role.keys, .headers] {
      var beside: [String: ArchiveFile] = [:]
      for file in files where file.role == role { beside[stem(file)] = file }
      let hasSome = !beside.isEmpty
      for index in segments.indices {
        let count = segments[index].records.count
        guard let file = beside.removeValue(forKey: stem(segments[index].file)) else {
          if hasSome { contradict("\(segments[index].file.name) has no \(role) file") }
          if role == .headers { segments[index].headers = Array(repeating: nil, count: count) }
          continue
        }
        guard let text = text(of: file), let lines = lines(text, of: file) else { return false }
        if lines.count != count { contradict("\(file.name) has \(lines.count) lines for \(count) records") }
        if role == .keys {
          segments[index].keys = lines.map { String($0.dropFirst().dropLast()) }
        } else {
          segments[index].headers = lines.map { String($0.dropFirst(#"{"headers":"#.count).dropLast()) }
        }
      }
      if !beside.isEmpty { contradict("\(role) without values") }
    }
    return true
  }

  private func stem(_ file: ArchiveFile) -> String { String(file.name.prefix { $0 != "." }) }

  /// Lines that the file, or another of its kind, was made of.
  private func lines(_ text: [UInt8], of file: ArchiveFile) -> [String]? {
    let known = Set(archive.files.filter { $0.role == file.role }.flatMap { $0.parts.map { Array($0.dropLast()) } })
    var lines: [String] = []
    for line in text.split(separator: 10) {
      guard known.contains(Array(line)) else { return nil }
      lines.append(String(decoding: line, as: UTF8.self))
    }
    return lines
  }

  // MARK: Pieces and records

  private func records(of file: ArchiveFile) -> [SentEvent]? {
    guard var text = text(of: file) else { return nil }
    if layout.framing == .array {
      guard text.isEmpty || text.starts(with: [91, 10]) && text.suffix(2) == [10, 93] else { return nil }
      text = Array(text.dropFirst(2).dropLast(2))
    }
    var found: [SentEvent] = []
    var rest = text[...]
    while !rest.isEmpty {
      if rest[rest.startIndex] == 10, layout.framing == .lines {
        rest = rest.dropFirst()
        continue
      }
      if layout.framing == .array, !found.isEmpty {
        guard rest.starts(with: [44, 10]) else { return nil }
        rest = rest.dropFirst(2)
      }
      guard let (text, event) = archive.records.first(where: { rest.starts(with: $0.key) }) else { return nil }
      found.append(archive.events[event])
      rest = rest.dropFirst(text.count)
    }
    return found
  }

  /// The file's text; nil where its bytes are not whole pieces.
  private func text(of file: ArchiveFile) -> [UInt8]? {
    var bytes = file.bytes
    for (layer, tokens) in archive.tokens.enumerated().reversed() {
      if archive.coding.layers.isEmpty { return bytes }
      let isGzip = archive.coding.layers[layer] == .gzip
      var plain: [UInt8] = []
      var rest = bytes[...]
      while !rest.isEmpty {
        guard let (piece, stands) = tokens.first(where: { rest.starts(with: $0.key) }) else {
          // What tape and block tools leave behind the last member.
          if isGzip, rest.startIndex > 0, rest.allSatisfy({ $0 == 0 }) { break }
          return nil
        }
        plain += stands
        rest = rest.dropFirst(piece.count)
      }
      bytes = plain
    }
    return bytes
  }
}

extension Array {
  subscript(safe place: Int) -> Element? { indices.contains(place) ? self[place] : nil }
}
