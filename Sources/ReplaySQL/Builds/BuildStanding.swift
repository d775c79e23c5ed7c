import ReplayCore

/// How far one build is, for a decision.
public struct BuildStanding: Sendable {
  public let build: StoredBuild
  public let phase: Phase
  public let next: [Partition: Position]
  /// Events that are kept because they could not be applied.
  public let left: Int
  /// Which events it is made of, in words; empty: all of them.
  public let filter: String
  /// Events settled so far.
  public let events: UInt64
  /// The command line of the last run that committed something.
  public let command: String

  public init(
    _ build: StoredBuild, phase: Phase, next: [Partition: Position], left: Int = 0, filter: String = "",
    events: UInt64 = 0, command: String = ""
  ) {
    (self.filter, self.events, self.command) = (filter, events, command)
    self.build = build
    self.phase = phase
    self.next = next
    self.left = left
  }

  /// Where it stands in what both are measured by: of a build that follows a stream, the stream.
  func places(_ side: Side) -> [Partition: Position] { next.filter { $0.key.side == side } }
}

/// Which of two builds is how far: the same events are settled in both, one has more, or neither can be said.
public enum Lead: Sendable, Equatable {
  case even
  /// The other has settled all that this one has, and more; in these partitions.
  case behind([Partition])
  /// This one has settled all that the other has, and more.
  case ahead
  /// Each has something that the other has not. `behind`: partitions in which this one is.
  case mixed(behind: [Partition])
  /// They are not measured by the same: why.
  case apart(String)

  /// Of `build` against `other`.
  public init(of build: BuildStanding, against other: BuildStanding) {
    let isLive = (build.phase != .archive, other.phase != .archive)
    switch isLive {
    case (false, true):
      self = .apart("build \(build.build.number) reads the archive, build \(other.build.number) follows the stream")
      return
    case (true, false) where build.places(.archive).isEmpty != other.places(.archive).isEmpty:
      self = .apart("build \(other.build.number) has read nothing")
      return
    default: break
    }
    let side: Side = isLive == (true, true) ? .live : .archive
    let (mine, theirs) = (build.places(side), other.places(side))
    let behind = theirs.filter { mine[$0.key] ?? .zero < $0.value }.map(\.key).sorted()
    let ahead = mine.contains { theirs[$0.key] ?? .zero < $0.value }
    // One that follows has what came behind the archive too.
    let isFurther = ahead || isLive == (true, false)
    switch (behind.isEmpty, isFurther) {
    case (true, false): self = .even
    case (true, true): self = .ahead
    case (false, false): self = .behind(behind)
    case (false, true): self = .mixed(behind: behind)
    }
  }
}

/// Why readers are not to be pointed at a build; decided from what the store says, within the transaction that would do it.
public enum SwitchRefusal: Sendable, Equatable {
  /// It has not settled what the build that serves has.
  case behind(Lead)
  case uncompared
  case differs(StoredBuild.Comparison)
  /// Events are left in it that are not left in the one that serves.
  case leftEvents(Int)
  /// It is made of other events: which, in words.
  case partial(String)

  /// Nil where nothing stands against it. `needsProof`: it never served, and must have been compared.
  public init?(from serving: BuildStanding, to target: BuildStanding, needsProof: Bool) {
    switch Lead(of: target, against: serving) {
    case .even, .ahead: break
    case let lead:
      self = .behind(lead)
      return
    }
    guard needsProof else { return nil }
    if target.filter != serving.filter {
      self = .partial(target.filter.isEmpty ? "all events" : target.filter)
      return
    }
    if target.left > serving.left {
      self = .leftEvents(target.left)
      return
    }
    guard let comparison = target.build.comparison, comparison.with == serving.build.number else {
      self = .uncompared
      return
    }
    if comparison.differing == 0 { return nil }
    self = .differs(comparison)
  }
}
