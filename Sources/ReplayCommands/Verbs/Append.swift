import ArgumentParser
import ReplayCore
import ReplayDecode
import ReplayDirectory

struct Append: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Append events from standard input to a directory stream, and print where each of them is.",
    discussion: """
      Each line of standard input is one JSON object (or null, for an event without a payload), and becomes one event \
      as it is; what followers would stop at is refused at once. Lines that are ready at once, up to \
      1,000 or 1 MiB, are one batch: it is written and synced, then the receipt of each event, partition:position, is \
      printed, in the order of the lines. An event without a receipt may have been appended or not.
      Several appenders may share a stream. With --key the partition is the hash of the key (KeyHash, the project's own, \
      which never changes) modulo --partitions; the stream keeps the number it began with.
      """)

  @Argument(help: "The stream: dir:DIR. The directory is made where there is none.", completion: .directory)
  var stream: String
  @Option(help: "Append to this partition; without it and --key to 0, of a stream that has no other.")
  var partition: String?
  @Option(help: "Where the partition key is in the event, e.g. data.customer; a string or a number.")
  var key: JSONPath?
  @Option(help: "How many partitions the keys are spread over; with --key.")
  var partitions: Int?
  @Option(help: "Begin a new file where one would become longer than this.")
  var rotateBytes: UInt64 = 64 << 20
  @Option(help: "The longest line, in bytes: what followers take by default.")
  var maxRecordBytes = 16 << 20
  @Flag(help: "Print receipts without waiting for the disk: a crash of the machine may lose what was acknowledged.")
  var noSync = false

  func validate() throws {
    if partition != nil, key != nil { throw ValidationError("Give --partition or --key, not both.") }
    if (key == nil) != (partitions == nil) { throw ValidationError("--key and --partitions go together.") }
    if let partitions, !(1...100_000).contains(partitions) {
      throw ValidationError("--partitions must be from 1 to 100,000.")
    }
    if !(1...128 << 20).contains(maxRecordBytes) {
      throw ValidationError("--max-record-bytes must be from 1 to \(128 << 20).")
    }
    if rotateBytes == 0 { throw ValidationError("--rotate-bytes must be at least 1.") }
  }

  func run() throws {
    Signals.endAtOnce()
    let scheme = "dir:"
    guard stream.hasPrefix(scheme), stream.utf8.count > scheme.utf8.count else {
      throw ReplayError(
        .usage, "this is no stream that can be appended to: \(stream)", details: ["expected: dir:DIR"],
        next: stream.contains(":") ? "only directory streams can" : "did you mean dir:\(stream)?")
    }
    let appender = try DirectoryAppender(
      String(stream.dropFirst(scheme.count)), options: .init(rotateBytes: rotateBytes, syncs: !noSync))
    if let partitions {
      try appender.divide(into: partitions)
    } else {
      if partition == nil { try appender.divide(into: 1) }
      try appender.open(partition ?? "0")
    }
    var work = AppendWork(self, appender)
    do { try work.run() } catch is ByteOutput.Closed {
      throw ReplayError(
        .cannotCreate, "nobody reads the receipts any more", effect: work.effect,
        next: "let the receipts be read to the end; what was not acknowledged may have been appended or not")
    }
  }
}

/// Lines to batches to receipts.
private struct AppendWork {
  private let appender: DirectoryAppender
  private let judge: LineJudge
  private let key: JSONPath?
  private let maxRecordBytes: Int
  /// The ids that keys are spread over; with one, every event goes there.
  private let ids: [String]
  private var out = ByteOutput()
  private var lines: UInt64 = 0
  private var acknowledged: UInt64 = 0

  init(_ command: Append, _ appender: DirectoryAppender) {
    self.appender = appender
    judge = LineJudge(key: command.key)
    key = command.key
    maxRecordBytes = command.maxRecordBytes
    ids = command.partitions.map { (0..<$0).map(String.init) } ?? [command.partition ?? "0"]
  }

  var effect: String {
    acknowledged == 0 ? "no event was acknowledged" : "the events of lines 1 to \(acknowledged) were acknowledged"
  }

  mutating func run() throws {
    var input = LineInput()
    do {
      while try input.more() {
        while let line = input.next() {
          try add(line)
          if appender.count == 1000 || appender.byteCount >= 1 << 20 { try commit() }
        }
        if !input.isReady { try commit() }
      }
      try commit()
    } catch var error as ReplayError {
      // What is before the bad line is good.
      if error.code == .data, appender.count > 0 { try commit() }
      error.effect = error.effect ?? effect
      throw error
    }
  }

  private mutating func add(_ line: UnsafeRawBufferPointer) throws {
    lines += 1
    guard line.count <= maxRecordBytes else { throw tooLong(line) }
    let found: Text?
    do { found = try judge.judge(line) } catch { throw fault(error, line) }
    try appender.add(line, to: found.map { ids[Int(KeyHash.hash($0) % UInt64(ids.count))] } ?? ids[0])
  }

  private mutating func commit() throws {
    for receipt in try appender.commit() {
      out.put(receipt.description)
      try out.endLine()
      acknowledged += 1
    }
    try out.flush()
  }

  private func tooLong(_ line: UnsafeRawBufferPointer) -> ReplayError {
    ReplayError(
      .data, "line \(lines) of standard input is longer than followers take",
      details: ["expected: at most \(maxRecordBytes) bytes", "found:    \(line.count)"],
      next: "make it shorter, or give --max-record-bytes here and to every follower; append from this line on")
  }

  private func fault(_ fault: LineJudge.Fault, _ line: UnsafeRawBufferPointer) -> ReplayError {
    let what = "begins: \(ReplayError.excerpt(Text(line)))"
    switch fault {
    case .notJSON(let byte, let expected):
      return ReplayError(
        .data, "line \(lines) of standard input is not one JSON value",
        details: ["expected: \(expected), at byte \(byte) of the line", what],
        next: "mend it, and append from this line on")
    case .notEvent(let found):
      return ReplayError(
        .data, "line \(lines) of standard input is no event",
        details: ["expected: a JSON object, or null", "found:    \(found)", what],
        next: "put it into an object, and append from this line on")
    case .noKey(let found):
      return ReplayError(
        .data, "line \(lines) of standard input has no key",
        details: ["expected: a string or a number at \(key?.description ?? "")", "found:    \(found)", what],
        next: "mend it, and append from this line on")
    }
  }
}
