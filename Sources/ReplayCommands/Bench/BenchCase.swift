import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplaySQLite
import Synchronization

/// What is timed: each stage includes those before it.
enum BenchStage: String, CaseIterable {
  /// Decompression alone, checksums verified: the ceiling.
  case decompress
  /// And records split, and the functions' fields taken out of them.
  case extract
  /// And the functions run over them, into changes that are thrown away.
  case function
  /// The run as `replay run` does it: the chain, order for each key, cuts, and the store unless that is left out.
  case whole
}

/// An archive and functions, ready to be run through each stage with the same number of threads.
struct BenchCase {
  let archive: OpenedArchive
  let projections: [any Projection]
  let decoder: ArchiveDecoder
  let mode: ReadMode
  let threads: Int
  private let command: Bench
  private let rule: ArchiveChain
  private let filter: EventFilter

  /// `archive`: what the filter leaves of it.
  init(_ command: Bench, _ archive: OpenedArchive, _ projections: [any Projection], _ filter: EventFilter) throws {
    self.command = command
    self.filter = filter
    self.archive = archive
    self.projections = projections
    decoder = try archive.decoder(
      projections.map(\.reads), needsKey: projections.contains { !$0.isMergeOnly }, filter: filter, command.archive,
      command.chain)
    rule = archive.chain(command.chain)
    let lanes = command.work.options.lanes
    mode = ReadMode(projections: projections, plan: archive.plan, lanes: lanes)
    threads = mode.readers(lanes: lanes, partitions: archive.plan.partitions.count)
  }

  // MARK: Stages without a run

  /// The files that a run reads, those beside the segments included where a function needs them.
  var files: [SegmentEntry] {
    archive.segmentsBySize.flatMap { segment in
      let keys = decoder.extraction.keyColumn >= 0 ? segment.keysEntry : nil
      let headers = decoder.extraction.headersColumn >= 0 ? segment.headersEntry : nil
      return [segment.entry] + [keys, headers].compactMap { $0 }
    }
  }

  /// Decompresses every file and answers how many bytes came out.
  func decompress() throws -> UInt64 {
    let bytes = Atomic<UInt64>(0)
    let (source, limits) = (archive.source, command.archive.limits)
    try BenchThreads.each(files, on: threads) { next in
      while let file = next() {
        bytes.add(try DecompressOnly.run(file, in: source, limits: limits), ordering: .relaxed)
        try BenchThreads.checkStop()
      }
    }
    return bytes.load(ordering: .relaxed)
  }

  func extract() throws {
    try BenchThreads.each(archive.segmentsBySize, on: threads) { [self] next in
      var block: RecordBlock?
      while let segment = next() { try read(segment, &block) { _ in } }
    }
  }

  /// Where order matters and the archive's partitions keep it, a partition is read by one thread; where they do not,
  /// each segment is applied by itself, since lanes are a run's.
  func apply() throws {
    let units = mode == .byPartition ? archive.plan.partitions.map(\.segments) : archive.segmentsBySize.map { [$0] }
    try BenchThreads.each(units, on: threads) { [self] next in
      var block: RecordBlock?
      var changes = try throwAway()
      while let unit = next() {
        if mode != .free { changes = try throwAway() }
        for segment in unit { try read(segment, &block) { try changes.apply($0) } }
        if mode != .free { try changes.finish() }
      }
    }
  }

  private func throwAway() throws -> ThrowAway {
    let share = mode == .byPartition ? archive.plan.partitions.count : threads
    let limits = ThrowAway.Limits(
      changedBytes: command.work.commitBytes / share, stateBytes: command.work.maxStateBytes / share,
      holdAboveBytes: command.work.options.holdAboveBytes)
    return try ThrowAway(
      projections, decoder.extraction, partitions: archive.plan.partitions.map(\.partition), limits: limits)
  }

  private func read(_ segment: Segment, _ kept: inout RecordBlock?, _ body: (RecordBlock) throws -> Void) throws {
    let range = SegmentRange(from: projections.map { _ in 0 })
    let reading = try decoder.open(segment, in: archive.source, range: range)
    let block = kept ?? decoder.makeBlock(for: segment)
    kept = block
    let place = archive.plan.partitions.firstIndex { $0.partition == segment.partition }
    block.partitionIndex = UInt32(place ?? 0)
    let filter = BlockFilter(filter, decoder.extraction)
    while try reading.next(block) {
      try filter?.apply(to: block)
      try body(block)
      try BenchThreads.checkStop()
    }
  }

  // MARK: The whole path

  /// Runs the whole archive into the store, from opening it to closing it.
  func run(into store: any Store) throws -> RunReport {
    let identities = projections.map { FunctionIdentity($0, anatomy: archive.seenAnatomy) }
    let checkpoints = try store.open(identities, range: .all, refresh: false)
    var options = command.work.options
    options.stopMilliseconds = 0
    let setup = RunSetup(
      projections: projections, plan: archive.plan, extraction: decoder.extraction, source: archive.source,
      decoder: decoder, store: store, rule: rule, options: options, stop: Signals.stop, filter: filter
    ) { _ in }
    let report = try ReplayRun(setup, checkpoints: checkpoints).run()
    try store.close()
    if report.outcome == .stopped { throw BenchStopped() }
    return report
  }

  /// What the run left in the functions' tables.
  func rows(in path: String) throws -> [TableRows] {
    try projections.flatMap(\.tables).map { table in
      var digest = Digest()
      let count = try SQLiteStore.eachRow(of: table.schema, in: path) { digest.add($0) }
      return TableRows(name: table.schema.name, rows: count, digest: digest.value)
    }
  }
}

/// A table's rows in short: equal where they are.
struct TableRows: Hashable {
  let name: String
  let rows: UInt64
  /// CRC-64 of the rows in key order.
  let digest: UInt64

  var hash: String { TableRows.text(digest) }

  /// One hash of all tables.
  static func hash(of tables: [TableRows]) -> String {
    var digest = Digest()
    for table in tables {
      "\(table.name) \(table.rows) \(table.hash)\n".utf8.withContiguousStorageIfAvailable {
        digest.add(UnsafeRawBufferPointer($0))
      }
    }
    return text(digest.value)
  }

  private static func text(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
