import ReplayCore

/// What a source or a decoder did against its contract.
public struct ContractViolation: Error, CustomStringConvertible {
  public let description: String
}

func violated(_ text: String) -> ContractViolation { ContractViolation(description: text) }

func require<Value: Equatable>(_ found: Value, is expected: Value, _ what: String) throws {
  if found != expected { throw violated("\(what): expected \(expected), found \(found)") }
}

/// The contract of `SegmentSource` as a list of cases that any implementation must pass. Each makes the archives it
/// needs, throws `ContractViolation` and depends on no test framework.
public enum SegmentSourceConformance {
  /// Makes a source over exactly these files; called anew, with other files, for each state of the archive.
  public typealias Maker = (_ files: [String: [UInt8]]) throws -> any SegmentSource

  public struct Case: Sendable, CustomStringConvertible {
    public let description: String
    public let run: @Sendable (Maker) throws -> Void
  }

  public static let all: [Case] = [
    Case(description: "the listing is complete, with sizes", run: listsEverything),
    Case(description: "two listings of the same files are equal", run: listsTheSameTwice),
    Case(description: "a file is read whole, whatever its size", run: readsEveryByte),
    Case(description: "the end stays the end", run: endStaysEnd),
    Case(description: "readers do not disturb each other", run: readersAreIndependent),
    Case(description: "a file of another size is refused", run: refusesAnotherSize),
    Case(description: "a file that is gone is refused", run: refusesMissing),
  ]

  /// Names in directories, an empty file, sizes around usual buffer sizes.
  static let files: [String: [UInt8]] = {
    var files: [String: [UInt8]] = ["empty.json": [], "one.json": [42]]
    for (place, size) in [2, 4095, 4096, 4097, 65_536, 300_001].enumerated() {
      files["dir-\(place)/deep/\(size).json.gz"] = (0..<size).map { UInt8(truncatingIfNeeded: $0 * 31 + place) }
    }
    return files
  }()

  static func listsEverything(_ make: Maker) throws {
    let listed = try make(files).list()
    try require(listed.map(\.name).sorted(), is: files.keys.sorted(), "the names listed")
    for entry in listed { try require(entry.size, is: UInt64(files[entry.name]?.count ?? -1), "size of \(entry.name)") }
  }

  static func listsTheSameTwice(_ make: Maker) throws {
    let source = try make(files)
    try require(Set(try source.list()), is: Set(try source.list()), "the second listing")
  }

  static func readsEveryByte(_ make: Maker) throws {
    let source = try make(files)
    for entry in try source.list() {
      let bytes = try everything(source.open(entry))
      if bytes != files[entry.name] { throw violated("\(entry.name): \(bytes.count) bytes read are not those written") }
    }
  }

  static func endStaysEnd(_ make: Maker) throws {
    let source = try make(["a.json": [1, 2, 3]])
    let reader = try source.open(try only(source))
    _ = try everything(reader)
    for _ in 0..<3 { try require(try reader.next().count, is: 0, "bytes behind the end") }
  }

  static func readersAreIndependent(_ make: Maker) throws {
    let source = try make(files)
    guard let entry = try source.list().max(by: { $0.size < $1.size }) else { throw violated("nothing was listed") }
    let (first, second) = (try source.open(entry), try source.open(entry))
    var read: [[UInt8]] = [[], []]
    var isOpen = true
    while isOpen {
      let (a, b) = (Array(try first.next()), Array(try second.next()))
      read[0] += a
      read[1] += b
      isOpen = !a.isEmpty || !b.isEmpty
    }
    for bytes in read where bytes != files[entry.name] { throw violated("a reader got another reader's bytes") }
  }

  static func refusesAnotherSize(_ make: Maker) throws {
    let source = try make(["a.json": [1, 2, 3]])
    let entry = try only(source)
    let listed = SegmentEntry(name: entry.name, size: entry.size + 1, version: entry.version)
    try refuses("a file of another size than was listed", .data) { _ = try everything(source.open(listed)) }
  }

  static func refusesMissing(_ make: Maker) throws {
    let source = try make(["a.json": [1]])
    try refuses("a file that does not exist", .missing) {
      _ = try everything(source.open(SegmentEntry(name: "b.json", size: 1, version: "1")))
    }
  }

  private static func only(_ source: any SegmentSource) throws -> SegmentEntry {
    let listed = try source.list()
    guard listed.count == 1 else { throw violated("expected one file in the listing, found \(listed.count)") }
    return listed[0]
  }

  private static func everything(_ reader: any SegmentReader) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      let chunk = try reader.next()
      if chunk.isEmpty { return bytes }
      bytes += chunk
    }
  }

  private static func refuses(_ what: String, _ code: ReplayError.Code, _ body: () throws -> Void) throws {
    do { try body() } catch let error as ReplayError {
      return try require(error.code, is: code, "the error's code for \(what)")
    }
    throw violated("\(what) was read without an error")
  }
}
