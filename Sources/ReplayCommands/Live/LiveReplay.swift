import ArgumentParser
import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplaySQL

/// The whole button: the archive, the handoff, the stream. Each step begins from what the store says, so that the same
/// command goes on wherever it was killed.
struct LiveReplay {
  let command: Run
  let address: StreamAddress
  private let projections: [any Projection]
  private let board: StatusBoard?
  private let account: RunAccount

  init(_ command: Run, live: String, board: StatusBoard?, account: RunAccount) throws {
    self.account = account
    self.command = command
    self.board = board
    address = try StreamAddress(live, options: command.stream.streamOptions)
    projections = try command.projections
  }

  /// A question that was given up because it was asked to stop is no trouble of the stream's.
  func runUntilStopped() throws {
    do { try TargetThrottle.during(command) { try run() } } catch let error as ReplayError
      where error.code == .unavailable && Signals.signal != 0
    {
      throw ExitCode(128 + Signals.signal)
    }
  }

  private func run() throws {
    if let path = command.stream.handoffReport { try OutputFile.check(path) }
    let source = try address.open()
    defer { source.close() }
    let glance = try StoreGlance(command)
    var (found, layout) = try LiveArchive.open(command, glance)
    var filter = try RunFilter(command.filter)
    account.only = filter.words
    if case .success(let archive) = found {
      let replaying = Replaying(command, archive: archive, filter, board: board)
      try replaying.refuseStoreInside()
      replaying.sayArchive()
      // Functions that are live need no archive, and it may be damaged.
      if !glance.isSureToBeLive {
        filter = try filter.resolved(in: archive, command.archive)
        try filter.refuseLive(archive)
      }
    }
    // Whoever is refused leaves no store behind, and an old one as it was.
    try glance.verify(source)
    let early = try glance.isSureToReplay ? HandoffPlan(found.get(), source, command) : nil
    var store = try OpenedStore(command, layout, filter, refresh: command.fullRefresh)
    try verifyStream(source, store)
    var isIncomplete = false
    let behind = projections.indices.filter { store.checkpoints[$0].phase == .archive }
    if !behind.isEmpty {
      var archive = try found.get()
      let plan = try early ?? HandoffPlan(archive, source, command)
      for line in plan.lines { Console.shared.say("replay: \(line)") }
      let watch = try plan.watch(address, command)
      // What comes into the archive meanwhile is taken in, until nothing more has come.
      while let summary = try pass(behind, &archive, filter, &store, watch) {
        isIncomplete = isIncomplete || summary.isIncomplete
      }
      try handOff(behind, plan, archive, source, store)
      layout = EventLayout(archive)
      store = try store.reopened(layout)
    }
    if behind.isEmpty, let path = command.stream.handoffReport {
      Console.shared.say("replay: nothing was handed off by this run, so \(path) is left as it is")
    }
    // Else the summary of what was replayed has said it.
    if behind.isEmpty, let words = filter.words { Console.shared.say("replay: only \(words)") }
    let chosen = try filter.filter(store.checkpoints)
    let isLeft = try follow(layout, source, store, chosen, isKnown: behind.count == projections.count)
    if isIncomplete || isLeft { throw ExitCode(ReplayError.Code.incomplete.rawValue) }
  }

  private func verifyStream(_ source: any LiveSource, _ store: OpenedStore) throws {
    let there = Set(try source.partitions().map(\.partition))
    for (projection, checkpoint) in zip(projections, store.checkpoints) {
      let followed = FollowedStream(projection.name, checkpoint, store: store.store.name)
      if let refusal = followed.refusal(of: source, there) { throw refusal }
    }
  }

  /// Replays what is left of the archive; nil where nothing was.
  private func pass(
    _ functions: [Int], _ archive: inout OpenedArchive, _ filter: RunFilter, _ store: inout OpenedStore,
    _ watch: RetentionWatch
  ) throws -> Summary? {
    let replaying = Replaying(command, archive: archive, filter, board: board)
    let checkpoints = functions.map { store.checkpoints[$0] }
    let summary: Summary
    do {
      summary = try replaying.replay(
        functions.map { projections[$0] }, store.store, checkpoints, try replaying.resume(checkpoints))
    } catch {
      _ = watch.finish()
      throw error
    }
    if summary.report.outcome == .stopped {
      if let lost = watch.finish(), Signals.signal == 0 { throw lost }
      try replaying.end(summary)
    }
    guard summary.report.outcome == .finished else {
      if let lost = watch.finish() { throw lost }
      try account.passed(summary)
      return nil
    }
    for line in summary.lines { Console.shared.say("replay: \(line)") }
    Console.shared.event("summary", summary.json)
    try account.passed(summary)
    archive = try OpenedArchive(command.archive)
    store = try store.reopened(EventLayout(archive))
    return summary
  }

  /// Proves that the stream goes on where the archive ends, and writes down where live begins.
  private func handOff(
    _ functions: [Int], _ plan: HandoffPlan, _ archive: OpenedArchive, _ source: any LiveSource, _ store: OpenedStore
  ) throws {
    let began = Clock.milliseconds()
    board?.change { $0.handsOff() }
    let checkpoint = store.checkpoints[functions[0]]
    let proved: [HandoffResult]?
    do { proved = try plan.prove(archive, source, checkpoint, stop: Signals.stop) } catch let error as ReplayError {
      // Not the account of another handoff that was left there.
      try? report([("outcome", .string("refused")), ("error", .object(error.json))])
      throw error
    }
    guard let results = proved else { throw ExitCode(128 + Signals.signal) }
    let frontier = Dictionary(uniqueKeysWithValues: results.map { ($0.live, $0.start) })
    let commit = EpochCommit(
      functions: functions.map { index in
        var function = EpochCommit.Function(
          name: projections[index].name, changes: [], frontier: frontier, settled: [], events: 0)
        function.phase = .live
        function.lastEvents = Dictionary(uniqueKeysWithValues: results.compactMap { r in r.last.map { (r.live, $0) } })
        let windows = store.checkpoints[index].windows
        function.windows = Dictionary(
          uniqueKeysWithValues: results.compactMap { r in r.archive.flatMap { windows[$0] }.map { (r.live, $0) } })
        function.archivedAhead = Dictionary(uniqueKeysWithValues: results.map { ($0.live, $0.ahead) })
        return function
      })
    try store.commit(commit)
    let handoff = HandoffAccount(
      results, stream: source.name, functions: functions.map { projections[$0].name },
      comparison: command.stream.compare, milliseconds: Clock.milliseconds() - began)
    for line in handoff.lines { Console.shared.say("replay: \(line)") }
    Console.shared.event("handoff", handoff.json)
    board?.handedOff(handoff)
    try account.handedOff(handoff)
    try report(handoff.json)
  }

  private func report(_ account: [(String, JSONText)]) throws {
    guard let path = command.stream.handoffReport else { return }
    try OutputFile.write(JSONText.object(account).text + "\n", to: path)
  }

  private func knowAgain(_ source: any LiveSource, _ store: OpenedStore) throws {
    let last = store.checkpoints.reduce(into: [:]) { known, checkpoint in
      known.merge(checkpoint.lastEvents) { $0.position > $1.position ? $0 : $1 }
    }
    let again = try HandoffRun.knowAgain(
      last, of: source, isSparse: command.chain.positions == .sparse, stop: Signals.stop, now: Clock.milliseconds,
      print: PayloadPrinter.print)
    if again == nil { throw ExitCode(128 + Signals.signal) }
  }

  /// The stream, which a comparison or a cutover may hold for a moment. A run that ends by itself is not waited for.
  private func held(_ source: any LiveSource) throws -> any LiveSource {
    guard !command.stream.untilCaughtUp, let name = projections.first?.name, projections.count == 1 else {
      return source
    }
    let inspector = try command.store.inspector()
    // A store that cannot be asked now holds nobody.
    return HeldSource(source, now: Clock.milliseconds) {
      (try? inspector.bounds(of: name, now: SystemTime.now())) ?? [:]
    }
  }

  /// True where events are kept that could not be applied. `isKnown`: the stream was compared just now.
  private func follow(
    _ layout: EventLayout, _ source: any LiveSource, _ store: OpenedStore, _ filter: EventFilter, isKnown: Bool
  ) throws -> Bool {
    if !isKnown { try knowAgain(source, store) }
    let requiresKey = projections.contains { !$0.isMergeOnly }
    var options = LiveOptions(now: Clock.milliseconds)
    options.onError = command.failures.live
    options.maxKeptBytes = command.failures.maxParkedBytes
    let needsKey = requiresKey || options.onError.needsKey(store.checkpoints.map(\.kept), keysFiles: false)
    let extraction = Extraction(
      projections.map(\.reads), anatomy: layout.anatomy, needsKey: needsKey, filter: filter)
    var limits = command.archive.limits
    // Small blocks: a lane works through one before it hears that the run is to end.
    if projections.contains(where: \.hasSessions) { limits.blockBytes = min(limits.blockBytes, 32 << 10) }
    let decoder = LiveDecoder(
      extraction, of: source.name, key: layout.usesKeysFiles ? .message : .asInArchive,
      payloadKey: JSONPath(command.stream.liveKey),
      requiresKey: requiresKey || extraction.functions.contains { $0.columns.contains(extraction.keyColumn) },
      limits: limits)
    options.workers = command.functions.foreign.workers ?? command.work.options.lanes
    options.commitMilliseconds = Int64(command.stream.liveCommitInterval * 1000)
    options.commitBytes = command.work.commitBytes
    options.maxStateBytes = command.work.maxStateBytes
    options.untilCaughtUp = command.stream.untilCaughtUp
    if let gate = TargetThrottle.current?.gate {
      options.pass(through: gate)
      limits.blockBytes = min(limits.blockBytes, TargetThrottle.blockBytes)
    }
    let voice = LiveVoice(source.name)
    let setup = LiveSetup(
      projections: projections, extraction: extraction, source: try held(source), decoder: decoder, store: store.store,
      options: options, stop: Signals.stop, filter: filter, print: PayloadPrinter.print
    ) {
      voice.hear($0)
      board?.hear($0)
    }
    let ended: (outcome: LiveOutcome, state: LiveState)
    do { ended = try LiveRun(setup, store.checkpoints).run() } catch let error as LiveError {
      throw HandoffRun.error(whileLive: error, of: source)
    }
    try store.store.close()
    try account.followed(ended.state, ended.outcome, functions: projections.map(\.name))
    voice.end(ended.state, names: projections.map(\.name), isCaughtUp: ended.outcome == .caughtUp)
    let isLeft = KeptWords.say(Array(zip(projections.map(\.name), ended.state.kept)), store: store.store.name)
    if ended.outcome == .stopped { throw ExitCode(128 + Signals.signal) }
    return isLeft
  }
}

/// A store with the checkpoints that it was opened with.
struct OpenedStore {
  let store: any Store
  let checkpoints: [Checkpoint]
  private let command: Run
  private let filter: RunFilter

  init(_ command: Run, _ layout: EventLayout, _ filter: RunFilter, refresh: Bool) throws {
    self.command = command
    self.filter = filter
    store = try command.store.open()
    let projections = try command.projections
    checkpoints = try store.open(
      projections.map { layout.identity($0, filter.statement) }, range: .all, refresh: refresh)
  }

  /// The same store with what was committed since.
  func reopened(_ layout: EventLayout) throws -> OpenedStore {
    try store.close()
    return try OpenedStore(command, layout, filter, refresh: false)
  }

  func commit(_ epoch: EpochCommit) throws {
    switch try store.commit(epoch) {
    case .committed: return
    case .fenced(let function, let owner):
      throw ReplayError(
        .fenced, "another run owns the function \(function)", details: ["it was taken over by \(owner)"],
        effect: "the archive is replayed; nothing live was applied", next: "let the other run finish")
    case .unknown:
      throw ReplayError(
        .temporary, "the store did not say whether the handoff was written", next: "run the same command")
    }
  }
}
