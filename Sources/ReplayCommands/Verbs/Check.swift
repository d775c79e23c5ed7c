import ArgumentParser
import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayEngine
import Synchronization

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Examine an archive: checksums, chain, framing, every byte of JSON, keys and times. Runs no function.",
    discussion: """
      Every segment gets a verdict on standard output. pass: nothing is wrong. fail: something is. unprovable: nothing \
      wrong was seen, but something could be that leaves no trace (no checksum, no positions).
      Exit codes: 0 no segment fails, 3 something was found that a flag allows, 65 a segment fails.
      """)

  @OptionGroup(title: "Archive") var archive: ArchiveOptions
  @OptionGroup(title: "Chain") var chain: ChainOptions
  @Flag(help: "Count unprovable segments as failed.")
  var requireIntegrity = false
  @Option(help: "Segments that are read at the same time (default: the number of processors).")
  var lanes: Int?
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if let lanes, !(1...256).contains(lanes) { throw ValidationError("--lanes must be from 1 to 256.") }
  }

  func run() throws {
    output.apply()
    Signals.endAtOnce()
    let opened = try OpenedArchive(archive)
    for line in opened.description { Console.shared.detail(line) }
    let read = try Checking(self, opened).read()
    let account = CheckAccount(
      opened, read, rule: opened.chain(chain), keyIsAsked: archive.key != nil, timeIsAsked: archive.time != nil)
    try CheckReport(account, opened, requireIntegrity: requireIntegrity).show()
  }
}

/// What reading all segments found, and how long it took.
struct CheckReading {
  var segments: [String: SegmentFacts] = [:]
  var keys = HotKeys()
  var milliseconds: Int64 = 0
}

/// Reads every segment whole, the largest first, on all lanes. Damage ends its own segment only.
struct Checking {
  private let command: Check
  private let archive: OpenedArchive

  init(_ command: Check, _ archive: OpenedArchive) {
    self.command = command
    self.archive = archive
  }

  func read() throws -> CheckReading {
    let segments = archive.plan.partitions.flatMap(\.segments).sorted { $0.entry.size > $1.entry.size }
    var reads = Reads()
    _ = reads.time()
    let decoder = try archive.decoder([reads], needsKey: true, command.archive, command.chain)
    let source = archive.source
    let began = Clock.milliseconds()
    let bar = ProgressLine("check", totalBytes: archive.plan.bytes)
    let gathered = Mutex(CheckReading())
    let tally = Mutex(Progress(bytes: 0, events: 0))
    let next = Atomic<Int>(0)
    let lanes = min(command.lanes ?? Clock.processors, max(1, segments.count))
    try SideBySide.run(lanes, named: "replay-check") { _ in
      var examiner = SegmentExaminer(decoder, source) { bytes, events in
        let now = tally.withLock { tally in
          tally.bytes += bytes
          tally.events += events
          return tally
        }
        bar.show(now)
      }
      while true {
        let turn = next.add(1, ordering: .relaxed).oldValue
        guard turn < segments.count else { break }
        let facts = examiner.examine(segments[turn])
        gathered.withLock { $0.segments[segments[turn].name] = facts }
      }
      let keys = examiner.keys
      gathered.withLock { $0.keys.merge(keys) }
    }
    Console.shared.clearBar()
    return gathered.withLock { reading in
      reading.milliseconds = Clock.milliseconds() - began
      return reading
    }
  }
}
