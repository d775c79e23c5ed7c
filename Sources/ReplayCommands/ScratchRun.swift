import ReplayArchive
import ReplayCore
import ReplayEngine
import ReplaySQLite

/// Replays into a scratch store: the whole path of a run, of which nothing is kept.
struct ScratchRun {
  let opened: OpenedArchive
  let archive: ArchiveOptions
  let chain: ChainOptions
  let options: RunOptions

  /// Goes on where the store at `path` is, which is made where there is none. `plan`: what is read, all or less of the archive;
  /// `records`: of the last segment of its last partition, how many; nil: all.
  func replay(
    _ projections: [any Projection], _ plan: ArchivePlan, records: UInt64? = nil, into path: String
  ) throws -> RunReport {
    let store = SQLiteStore(path: path, options: SQLiteStore.Options(isSynced: false))
    let checkpoints = try store.open(
      projections.map { FunctionIdentity($0, anatomy: opened.seenAnatomy) }, range: .all, refresh: false)
    var reading = archive
    // As in a run.
    if projections.contains(where: \.hasSessions) { reading.blockBytes = min(reading.blockBytes, 32 << 10) }
    let decoder = try opened.decoder(
      projections.map(\.reads), needsKey: projections.contains { !$0.isMergeOnly }, reading, chain)
    var options = options
    options.records = records
    var part = opened
    part.plan = plan
    let setup = RunSetup(
      projections: projections, plan: plan, extraction: decoder.extraction, source: opened.source,
      decoder: decoder, store: store, rule: part.chain(chain), options: options, stop: Signals.stop
    ) { _ in }
    do {
      let report = try ReplayRun(setup, checkpoints: checkpoints).run()
      try store.close()
      return report
    } catch var error as ReplayError {
      error.effect = "nothing is kept"
      // Here there is no --on-error, of which an event's error speaks.
      if error.fault != nil { error.next = "mend the function or the event, then try again" }
      throw error
    }
  }
}
