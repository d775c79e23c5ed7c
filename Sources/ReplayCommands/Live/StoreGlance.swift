import ReplayCore
import ReplayEngine
import ReplaySQL

/// What the store says of a run's functions before it is opened: whoever opens it makes the file, may empty it, and takes
/// the functions from another run.
struct StoreGlance {
  /// Of those of the run's functions that the store knows; nil where it cannot be asked now.
  private let known: [FunctionPositions]?
  private let names: [String]
  private let address: StoreAddress
  private let inspector: any StoreInspector

  init(_ command: Run) throws {
    address = try command.store.address
    inspector = try command.store.inspector()
    let names = try command.projections.map(\.name)
    self.names = names
    // A refresh begins with nothing; so does a file that is not there.
    let isNew = command.fullRefresh || !address.exists
    known = isNew ? [] : (try? inspector.positions())?.filter { names.contains($0.name) }
  }

  /// Some function has to read the archive; false where that is not known.
  var isSureToReplay: Bool {
    guard let known else { return false }
    return known.count < names.count || known.contains { $0.phase == .archive }
  }

  /// No function reads the archive any more.
  var isSureToBeLive: Bool {
    guard let known else { return false }
    return known.count == names.count && known.allSatisfy { $0.phase == .live }
  }

  /// Throws where a function must not be given this stream's events.
  func verify(_ source: any LiveSource) throws {
    let there = Set(try source.partitions().map(\.partition))
    for function in known ?? [] {
      let followed = FollowedStream(
        function.name, Checkpoint(frontier: function.next, phase: function.phase), store: address.name)
      if let refusal = followed.refusal(of: source, there) { throw refusal }
    }
  }

  /// Where the parts of an event are, as all of the functions have read them before; nil where that is not kept.
  var layout: EventLayout? {
    let kept = ((try? inspector.layouts()) ?? []).filter { names.contains($0.function) }
    guard kept.count == names.count, Set(kept.map(\.layout)).count == 1 else { return nil }
    return kept.first.flatMap { EventLayout(text: $0.layout) }
  }
}

/// The archive of a run with a stream. Functions that are live do not read it, so it may be gone or damaged, as long as
/// the store keeps how its events are laid out.
enum LiveArchive {
  /// The archive, or why there is none; and where the parts of an event are: for functions that are live, where they were
  /// before. Throws where the archive is needed.
  static func open(_ command: Run, _ glance: StoreGlance) throws -> (Result<OpenedArchive, ReplayError>, EventLayout) {
    let kept =
      glance.isSureToBeLive ? glance.layout.flatMap { command.archive.agrees(with: $0.anatomy) ? $0 : nil } : nil
    do {
      let archive = try OpenedArchive(command.archive)
      let found = EventLayout(archive)
      guard let kept else { return (.success(archive), found) }
      if found.isSeen, found.text != kept.text {
        warn("the archive's events are laid out in another way than those that were read")
      }
      return (.success(archive), kept)
    } catch let error as ReplayError {
      guard glance.isSureToBeLive else { throw error }
      guard let kept else { throw needed(error) }
      warn("the archive cannot be looked at (\(error.summary))")
      return (.failure(error), kept)
    }
  }

  private static func warn(_ what: String) {
    Console.shared.say("replay: warning: \(what); the functions are live and go on as before")
  }

  private static func needed(_ error: ReplayError) -> ReplayError {
    var error = error
    error.details.append(
      "the functions are live and do not read its events any more, but where the parts of an event are is found out "
        + "from its files")
    error.effect = "nothing was applied; what was committed before stays"
    error.next = "put back any one of its segments that can be read, then run the same command"
    return error
  }
}

extension ArchiveOptions {
  /// False where a flag says of a part of an event that it is elsewhere than where it was read before.
  fileprivate func agrees(with anatomy: Anatomy) -> Bool {
    let said = [(key, anatomy.key), (type, anatomy.type), (time, anatomy.time), (id, anatomy.id)]
    return said.allSatisfy { path, kept in path.map { anatomy.absolute(.payload($0)) == kept } ?? true }
      && (position == nil || position == anatomy.position)
  }
}
