import ReplayArchive
import ReplayCore
import ReplaySQL

/// What the store says of the functions that are to run. The store is only looked at.
struct StoredOutlook {
  /// Nil where no store was named.
  let path: String?
  /// False where the run would make the file.
  let exists: Bool
  /// The functions' state, as far as they have any; all functions where none was named.
  let functions: [FunctionStatus]
  let problems: [ReplayError]
  /// Functions that the store does not know yet.
  private let newcomers: Int

  init(_ store: String?, _ projections: [any Projection], anatomy: Anatomy?, filter: FilterStatement) throws {
    let address = try store.map { try StoreAddress($0) }
    path = address?.text
    let known = try address.flatMap { try $0.exists ? $0.inspector().inspect() : nil }
    exists = known != nil
    let names = Set(projections.map(\.name))
    functions = (known ?? []).filter { names.isEmpty || names.contains($0.name) }
    newcomers = names.count - (names.isEmpty ? 0 : functions.count)
    problems = projections.compactMap { projection in
      guard let status = known?.first(where: { $0.name == projection.name }) else { return nil }
      let reading = FunctionIdentity(projection, anatomy: anatomy).reading
      let isSame = status.reading.isEmpty || reading.isEmpty || status.events == 0 || status.reading == reading
      if status.version == projection.version, isSame {
        if status.events == 0, status.epochs == 0 { return nil }
        return status.checkpoint.filter.refusal(of: filter, function: status.name, store: address?.name ?? "")
      }
      let differs = status.version != projection.version
      return ReplayError(
        .config,
        "the store was made by another \(differs ? "version of" : "reading of the events for") the function \(projection.name)",
        details: differs
          ? ["in the store: \(status.version)", "this one:     \(projection.version)"]
          : ["in the store: \(status.reading)", "this one:     \(reading)"],
        next: "run it with --full-refresh to start over, or name another --store")
    }
  }

  /// Some function still reads the archive.
  var hasBehind: Bool { functions.isEmpty || newcomers > 0 || functions.contains { $0.phase == .archive } }

  /// The segments that some function which still reads the archive has not settled.
  func unsettled(_ plan: ArchivePlan) -> [Segment] {
    let all = plan.partitions.flatMap(\.segments)
    guard hasBehind else { return [] }
    guard !functions.isEmpty, newcomers == 0 else { return all }
    let settled = functions.filter { $0.phase == .archive }.map { Set($0.checkpoint.settled.map(\.entry.name)) }
    return all.filter { segment in !settled.allSatisfy { $0.contains(segment.name) } }
  }

  /// What a run would refuse to go on from: files that changed, vanished or came late. Reads files that look changed.
  /// `plan`: what the run's filter leaves of the archive's.
  func refusals(_ archive: OpenedArchive, _ plan: ArchivePlan, _ chain: ChainOptions) -> [ReplayError] {
    functions.filter { $0.phase == .archive }.compactMap { function in
      let known = function.checkpoint
      do {
        try ArchiveContinuity.verify(
          plan: plan, settled: known.settled, halfRead: known.halfRead, frontier: known.frontier,
          digest: { try archive.digest(of: $0, bytes: $1) }, allowLate: chain.allowLate,
          allowOverlaps: chain.allowOverlaps)
        return nil
      } catch { return error as? ReplayError ?? ReplayError(.unexpected, "\(error)") }
    }
  }
}
