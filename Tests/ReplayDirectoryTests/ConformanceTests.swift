import Foundation
import ReplayCore
import ReplayDirectory
import ReplayTesting
import Testing

/// A directory of its own, gone with the object.
final class Scratch: Sendable {
  let path: String

  init() {
    path = FileManager.default.temporaryDirectory.appending(path: "replay-stream-\(UUID().uuidString)").path
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ id: String, _ name: String) -> String { "\(path)/partition=\(id)/\(name)" }

  func write(_ text: String, _ id: String, _ name: String) throws {
    try FileManager.default.createDirectory(atPath: "\(path)/partition=\(id)", withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(fileURLWithPath: file(id, name)))
  }

  func add(_ text: String, _ id: String, _ name: String) throws {
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file(id, name)))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(text.utf8))
    try handle.close()
  }

  func names(_ id: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(path)/partition=\(id)").filter { !$0.hasPrefix(".") }
      .sorted()
  }
}

final class DirectoryHarness: LiveHarness {
  let scratch = Scratch()
  let appender: DirectoryAppender
  let abilities: Set<LiveAbility> = [.openedLater, .retention, .times]

  private let isSmall: Bool

  init(isSmall: Bool) throws {
    self.isSmall = isSmall
    appender = try DirectoryAppender(scratch.path, options: .init(rotateBytes: 1000, syncs: false))
  }

  func source() throws -> any LiveSource {
    isSmall ? try DirectoryStream(scratch.path, maxMessages: 7, maxBytes: 64) : try DirectoryStream(scratch.path)
  }

  func create(_ id: String) throws { try appender.open(id) }

  func append(_ drafts: [LiveDraft], to id: String) throws -> [Position] {
    for draft in drafts { try (draft.payload ?? []).withUnsafeBytes { try appender.add($0, to: id) } }
    return try appender.commit().map(\.position)
  }

  func expire(_ id: String) throws -> Position {
    let names = try scratch.names(id)
    for name in names.dropLast() { try FileManager.default.removeItem(atPath: scratch.file(id, name)) }
    return Position(try #require(names.last.flatMap { UInt64($0.dropLast(6)) }))
  }
}

final class ScriptedHarness: LiveHarness {
  let stream: ScriptedStream
  let abilities = Set(LiveAbility.allCases)

  private let seed: UInt64
  private var random: SplitMix64

  init(seed: UInt64) {
    self.seed = seed
    random = SplitMix64(seed: seed)
    stream = ScriptedStream(seed: seed, options: .init(maxMessages: Int(seed) * 40))
  }

  func source() throws -> any LiveSource { stream.reader() }

  var faults: [UInt64: LiveFault] = [:]

  func create(_ id: String) throws {
    let partition = stream.open(id)
    for (number, fault) in faults { stream.violate(fault, at: number, in: partition) }
  }

  func append(_ drafts: [LiveDraft], to id: String) throws -> [Position] {
    let partition = stream.partition(id)
    return drafts.map { draft in
      // Every other seed has numbers that no event has.
      if seed % 2 == 0 { stream.skip(UInt64(random.number(0...3)), in: partition) }
      return stream.append(draft, to: partition)
    }
  }

  func expire(_ id: String) throws -> Position {
    stream.expire(before: 120, in: stream.partition(id))
    return Position(120)
  }
}

struct LiveSourceConformanceTests {
  @Test(arguments: LiveSourceConformance.all, [false, true]) func directoryStream(
    _ one: LiveSourceConformance.Case, isSmall: Bool
  ) throws {
    try one.run { try DirectoryHarness(isSmall: isSmall) }
  }

  @Test(arguments: LiveSourceConformance.all, [1, 2, 3]) func scriptedStream(
    _ one: LiveSourceConformance.Case, seed: UInt64
  ) throws {
    try one.run { ScriptedHarness(seed: seed) }
  }

  /// A suite that lets a fault pass proves nothing.
  @Test(arguments: [LiveFault.duplicate, .reorder, .lose, .earlyCaughtUp]) func theSuiteFindsEachFault(fault: LiveFault)
    throws
  {
    let reading = try #require(LiveSourceConformance.all.first)
    #expect(throws: ContractViolation.self) {
      try reading.run {
        let harness = ScriptedHarness(seed: 1)
        harness.faults = [500: fault]
        return harness
      }
    }
  }
}
