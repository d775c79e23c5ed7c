import ArgumentParser
import ReplayArchive
import ReplayCore
import ReplayDecode

extension Framing: ExpressibleByArgument {}
extension LayoutKind: ExpressibleByArgument {}
extension ArchiveChain.Positions: ExpressibleByArgument {}
extension JSONPath: ExpressibleByArgument {
  public init?(argument: String) {
    guard !argument.isEmpty else { return nil }
    self.init(argument)
  }
}

/// Which archive, and what it is.
struct ArchiveOptions: ParsableArguments {
  @Option(
    name: .customLong("archive"), help: "The archive: a directory, a file, or a glob in quotes.", completion: .file())
  var archives: [String] = []
  @Option(
    help: "Read the archive's file names from a file, one a line; - for standard input.", completion: .file())
  var filesFrom: String?
  @Option(
    help:
      "How the files are named (default: found out): \(LayoutKind.allCases.map(\.rawValue).joined(separator: ", ")).")
  var layout: LayoutKind?
  @Option(help: "The end of the files' paths with {partition}, {start}, {last}, {time}, {topic}, {*}.")
  var segmentPattern: String?
  @Option(help: "How records follow one another (default: found out): json-lines, json-concat, json-array.")
  var format: Framing?
  @Option(help: "Where the partition key is in the payload, e.g. data.customer.")
  var key: JSONPath?
  @Option(help: "Where the type is in the payload.")
  var type: JSONPath?
  @Option(help: "Where the time is in the payload.")
  var time: JSONPath?
  @Option(help: "Where a record's own number is in the record.")
  var position: JSONPath?
  @Option(help: "Where the id is in the payload.")
  var id: JSONPath?
  @Flag(help: "Follow symbolic links in the archive.")
  var followSymlinks = false
  @Option(help: "The longest record, in bytes.")
  var maxRecordBytes = 16 << 20
  @Option(help: "The largest zstd window, as a power of two.")
  var maxWindowLog = 27
  @Option(help: "Decompressed bytes that are worked on at once, a block.")
  var blockBytes = 256 << 10

  func validate() throws {
    if archives.count > 1 { throw ValidationError("--archive is given twice; for several places use --files-from.") }
    if archive == nil, filesFrom == nil {
      throw ValidationError("Give the archive with --archive or with --files-from.")
    }
    if archive != nil, filesFrom != nil { throw ValidationError("Give --archive or --files-from, not both.") }
    if !(1024...64 << 20).contains(blockBytes) {
      throw ValidationError("--block-bytes must be from 1,024 to \(64 << 20).")
    }
    if maxRecordBytes < 1 || maxRecordBytes > 128 << 20 {
      throw ValidationError("--max-record-bytes must be from 1 to \(128 << 20).")
    }
    if !(10...31).contains(maxWindowLog) { throw ValidationError("--max-window-log must be from 10 to 31.") }
  }

  var archive: String? { archives.first }

  var limits: DecodeLimits {
    var limits = DecodeLimits()
    limits.maxRecordBytes = maxRecordBytes
    limits.maxWindowLog = maxWindowLog
    limits.blockBytes = blockBytes
    return limits
  }
}

/// What differences of the archive's chain are allowed. Each is off until asked for, counted, and changes the exit code.
struct ChainOptions: ParsableArguments {
  @Option(help: "dense: every number was filled, a missing one is a hole. sparse: compaction leaves numbers out.")
  var positions: ArchiveChain.Positions = .unstated
  @Flag(help: "Go on where events are missing (every number was filled: --positions dense).")
  var allowHoles = false
  @Flag(help: "Go on where a segment begins before the one before it ends; doubled events are dropped.")
  var allowOverlaps = false
  @Flag(help: "Drop events whose number came before in their segment.")
  var allowDuplicates = false
  @Flag(help: "Apply events whose numbers go back, in the order they are in.")
  var allowInversions = false
  @Flag(help: "Leave out files that came late, behind what was settled.")
  var allowLate = false

  var allowed: Set<ChainFinding.Kind> {
    var kinds: Set<ChainFinding.Kind> = []
    if allowHoles { kinds.insert(.hole) }
    if allowOverlaps { kinds.insert(.overlap) }
    if allowDuplicates { kinds.insert(.duplicate) }
    if allowInversions { kinds.insert(.inversion) }
    return kinds
  }
}
