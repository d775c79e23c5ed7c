import ArgumentParser
import ReplayCore

/// Which events the functions are given: docs/filters.md.
struct FilterOptions: ParsableArguments {
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      """
      Only events from here on: a time, a position, PARTITION:POSITION (repeat it for several), beginning, end, or -100 \
      for the last 100 of each partition.
      """, valueName: "edge"))
  var from: [String] = []
  @Option(
    parsing: .unconditionalSingleValue, help: ArgumentHelp("Only events before this, said likewise.", valueName: "edge")
  )
  var to: [String] = []
  @Option(help: ArgumentHelp("Only events of these types, with commas; repeat it for more.", valueName: "type,…"))
  var types: [String] = []
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Only events of this partition key, or of those in a file, one a line; repeat it for more.",
      valueName: "key|@file"))
  var keys: [String] = []
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("No events of these partition keys, said likewise.", valueName: "key|@file"))
  var excludeKeys: [String] = []
  @Option(
    help: ArgumentHelp(
      "Only a sample of all partition keys, as 1% or 0.25%: the same keys in every run.", valueName: "percent"))
  var sample: String?

  /// Keys of one flag, at most.
  private static let maxKeys = 10_000_000

  /// Whether it could be read as it stands; files are not looked at.
  func validate() throws {
    do {
      var rest = self
      (rest.keys, rest.excludeKeys) = ([], [])
      _ = try rest.request()
    } catch let error as ReplayError {
      throw ValidationError(([error.summary] + error.details).joined(separator: "\n"))
    }
  }

  /// A build that ends in the past cannot follow a stream.
  func verify(_ stream: StreamOptions) throws {
    if stream.live != nil, to.contains(where: { $0 != "end" }) {
      throw ValidationError("--to ends in the archive, and --live goes on behind it: leave one of them out.")
    }
  }

  /// Reads the files. Throws `.usage` for what cannot be read or leaves nothing, `.missing` or `.permission` for a file.
  func request() throws -> FilterRequest {
    var request = FilterRequest()
    request.from = try FilterEdgeText.edge(from, flag: "--from")
    request.to = try FilterEdgeText.edge(to, flag: "--to")
    try FilterOptions.checkRange(request)
    let types = types.flatMap { $0.split(separator: ",").map(String.init) }
    if !types.isEmpty { request.types = TextSet(types) } else if !self.types.isEmpty { throw empty("--types", "type") }
    if !keys.isEmpty {
      let set = try FilterOptions.set(keys, "--keys")
      if set.isEmpty { throw empty("--keys", "key") }
      request.keys = set
    }
    let excluded = try FilterOptions.set(excludeKeys, "--exclude-keys")
    if !excluded.isEmpty { request.excludedKeys = excluded }
    if let sample {
      guard let found = KeySample(sample) else {
        throw ReplayError(
          .usage, "--sample cannot be read: \(sample)",
          details: ["expected: above 0% and at most 100%, with at most six digits behind the point, as 1% or 0.25%"],
          effect: "nothing was read or written")
      }
      request.sample = found
    }
    return request
  }

  private func empty(_ flag: String, _ what: String) -> ReplayError {
    ReplayError(.usage, "\(flag) names no \(what): nothing would be left", effect: "nothing was read or written")
  }

  /// A range that is empty whatever the archive holds.
  private static func checkRange(_ request: FilterRequest) throws {
    let isEmpty =
      switch (request.from, request.to) {
      case (.time(let from)?, .time(let to)?): to <= from
      case (.positions(let from)?, .positions(let to)?):
        from.contains { one in to.contains { $0.partition == one.partition && $0.position <= one.position } }
      case (.last(let from)?, .last(let to)?): from <= to
      case (.end?, .last?): true
      default: false
      }
    guard isEmpty else { return }
    throw ReplayError(
      .usage, "--from and --to leave nothing between them",
      details: ["from \(request.from.map { "\($0)" } ?? "")", "to   \(request.to.map { "\($0)" } ?? "")"],
      effect: "nothing was read or written", next: "--to is the first that is left out: give one behind --from")
  }

  /// The keys themselves, and those of the files. What a file holds is never shown.
  private static func set(_ given: [String], _ flag: String) throws -> TextSet {
    var keys: [[UInt8]] = []
    for text in given {
      guard text.hasPrefix("@") else {
        keys.append(Array(text.utf8))
        continue
      }
      let path = String(text.dropFirst())
      let bytes = try InputFile.read(path, what: "the file of keys")
      // What some editors put before the first key.
      let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
      for (number, line) in text.split(
        separator: 10, omittingEmptySubsequences: false
      ).enumerated() {
        let key = line.last == 13 ? line.dropLast() : line
        if key.isEmpty { continue }
        guard !key.contains(0), String(validating: key, as: UTF8.self) != nil else {
          throw ReplayError(
            .usage, "\(flag): the file of keys has a line that is no key: \(path)",
            details: ["line \(number + 1): expected UTF-8 without NUL"], effect: "nothing was read or written")
        }
        keys.append(Array(key))
      }
      guard keys.count <= maxKeys else {
        throw ReplayError(
          .usage, "\(flag) names more than \(Words.count(maxKeys)) keys", effect: "nothing was read or written",
          next: "give fewer, or replay all of them")
      }
    }
    return TextSet(keys)
  }
}
