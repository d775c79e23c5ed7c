import Dispatch
import Foundation
import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplaySQLite
import RetailProjections

/// One archive and one function, ready to be run through each stage.
struct BenchCase {
  let options: BenchOptions
  let source: DirectorySource
  let layout: DetectedLayout
  let plan: ArchivePlan
  let projection: any Projection
  let decoder: ArchiveDecoder
  let limits: DecodeLimits

  init(_ options: BenchOptions) throws {
    self.options = options
    let all: [any Projection] = [ShadeVelocity(), RecentlyViewed(), EventCounts()]
    guard let found = all.first(where: { $0.name == options.function }) else {
      throw ReplayError(.usage, "there is no function \(options.function)")
    }
    projection = found
    let source = DirectorySource(try ArchiveLocation.find(options.archive))
    self.source = source
    let entries = try source.list()
    layout = try LayoutDetector.detect(entries: entries) { entry in
      try FirstRecord.read(entry, in: source).map {
        RecordSample(members: $0.members, nested: $0.nested, isObject: $0.isObject, framing: $0.framing)
      }
    }
    plan = try ArchivePlanner.plan(entries, layout: layout)
    var limits = DecodeLimits()
    limits.blockBytes = 256 << 10
    self.limits = limits
    decoder = ArchiveDecoder(
      Extraction([found.reads], anatomy: plan.anatomy, needsKey: !found.isMergeOnly), limits: limits)
  }

  /// How many events the archive has, by reading it.
  func countEvents() throws -> UInt64 {
    let counted = Counter()
    try eachSegment { segment in counted.add(try scan(segment, fold: false)) }
    return counted.value
  }

  /// Runs the stage over the whole archive; the whole path answers where its database is.
  func run(_ stage: Stage) throws -> String? {
    switch stage {
    case .decompress: try eachSegment { _ = try DecompressOnly.run($0.entry, in: source, limits: limits) }
    case .extract: try eachSegment { _ = try scan($0, fold: false) }
    case .fold: try eachSegment { _ = try scan($0, fold: true) }
    case .whole: return try whole()
    }
    return nil
  }

  private func scan(_ segment: Segment, fold: Bool) throws -> UInt64 {
    let reading = try decoder.open(segment, in: source, range: SegmentRange(from: [0]))
    let block = decoder.makeBlock(for: segment)
    let changes = Changes(tables: projection.tables.map(\.schema))
    var scanned: UInt64 = 0
    while try reading.next(block) {
      scanned += UInt64(block.scanned)
      guard fold else { continue }
      try decoder.extraction.functions[0].columns.withUnsafeBufferPointer { columns in
        guard let base = columns.baseAddress else { return }
        let batch = Batch(block: block, columns: base, mask: 1, keyColumn: decoder.extraction.keyColumn)
        try projection.apply(batch, changes)
      }
    }
    return scanned
  }

  private func whole() throws -> String {
    let path = NSTemporaryDirectory() + "replay-bench-\(UUID().uuidString).db"
    let store = SQLiteStore(path: path)
    let checkpoints = try store.open([FunctionIdentity(projection)], range: .all, refresh: false)
    var work = RunOptions { Int64(DispatchTime.now().uptimeNanoseconds / 1_000_000) }
    work.lanes = options.threads
    let setup = RunSetup(
      projections: [projection], plan: plan, extraction: decoder.extraction, source: source, decoder: decoder,
      store: store, rule: ArchiveChain(plan: plan, layout: layout.layout), options: work, stop: StopRequest()
    ) { _ in }
    _ = try ReplayRun(setup, checkpoints: checkpoints).run()
    try store.close()
    return path
  }

  /// The first digits of a SHA-256 over the sorted rows of the function's tables.
  func hash(of path: String) throws -> String {
    defer { for end in ["", "-wal", "-shm"] { unlink(path + end) } }
    let dump = Process()
    dump.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    let tables = projection.tables.map(\.schema.name)
    let script =
      "import sqlite3,sys,hashlib\nd=sqlite3.connect(sys.argv[1]);h=hashlib.sha256()\n"
      + "for t in sys.argv[2:]:\n  for r in sorted(d.execute('select * from '+t)): h.update(repr(r).encode())\n"
      + "print(h.hexdigest()[:16])"
    dump.arguments = ["python3", "-c", script, path] + tables
    let pipe = Pipe()
    dump.standardOutput = pipe
    try dump.run()
    let text = pipe.fileHandleForReading.readDataToEndOfFile()
    dump.waitUntilExit()
    return String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Every segment once, on as many threads as asked for.
  private func eachSegment(_ body: @Sendable @escaping (Segment) throws -> Void) throws {
    let segments = plan.partitions.flatMap(\.segments)
    let next = Counter()
    let failures = Counter()
    let group = DispatchGroup()
    for thread in 0..<options.threads {
      let queue = DispatchQueue(label: "bench-\(thread)")
      queue.async(group: group) {
        while true {
          let index = Int(next.take())
          guard index < segments.count else { return }
          do { try body(segments[index]) } catch { failures.add(1) }
        }
      }
    }
    group.wait()
    if failures.value > 0 { throw ReplayError(.data, "\(failures.value) segments could not be read") }
  }
}

/// A number that several threads add to.
final class Counter: @unchecked Sendable {
  // `@unchecked Sendable`: the number is reached only under the lock.
  private let lock = NSLock()
  private var number: UInt64 = 0
  func add(_ count: UInt64) { lock.withLock { number += count } }
  func take() -> UInt64 {
    lock.withLock {
      defer { number += 1 }
      return number
    }
  }
  var value: UInt64 { lock.withLock { number } }
}
