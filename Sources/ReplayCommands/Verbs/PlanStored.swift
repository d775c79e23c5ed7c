import ReplayCore
import ReplaySQLite

/// What the store says of the functions that are to run. The store is only looked at.
struct StoredOutlook {
  /// Nil where no store was named.
  let path: String?
  /// False where the run would make the file.
  let exists: Bool
  /// The functions' state, as far as they have any; all functions where none was named.
  let functions: [FunctionStatus]
  let problems: [ReplayError]
  private let newcomers: Int

  init(_ store: String?, _ projections: [any Projection]) throws {
    path = try store.map(StoreOptions.path)
    exists = path.map(InputFile.exists) ?? false
    let known = exists ? try SQLiteStore.inspect(path ?? "") : []
    let names = Set(projections.map(\.name))
    functions = known.filter { names.isEmpty || names.contains($0.name) }
    newcomers = names.count - (names.isEmpty ? 0 : functions.count)
    problems = projections.compactMap { projection in
      guard let status = known.first(where: { $0.name == projection.name }), status.version != projection.version else {
        return nil
      }
      return ReplayError(
        .config, "the store was made by another version of the function \(projection.name)",
        details: ["in the store: \(status.version)", "this one:     \(projection.version)"],
        next: "run it with --full-refresh to start over, or name another --store")
    }
  }

  /// The segments that some function has not settled. `isExact` is false where the names do not tell it of each
  /// partition's last one that was begun: it is then counted as left.
  func unsettled(_ plan: ArchivePlan) -> (segments: [Segment], isExact: Bool) {
    let all = plan.partitions.flatMap(\.segments)
    guard !functions.isEmpty, newcomers == 0 else { return (all, true) }
    var settled = Set(all.map(\.name))
    var isExact = true
    for function in functions {
      let own = settledSegments(of: function, plan)
      settled.formIntersection(own.names)
      isExact = isExact && own.isExact
    }
    return (all.filter { !settled.contains($0.name) }, isExact)
  }

  /// A partition's segments before the one that the next position is in are settled; that one may be.
  private func settledSegments(of function: FunctionStatus, _ plan: ArchivePlan) -> (names: Set<String>, isExact: Bool)
  {
    var sure: [String] = []
    var maybe: [String] = []
    for partition in plan.partitions {
      guard let next = function.positions.first(where: { $0.partition == partition.partition })?.next else { continue }
      // A later segment may have no number in its name; then only the count of all tells.
      let begun = partition.segments.prefix { $0.begins.map { $0 < next } ?? (partition.segments.count == 1) }
      let isWhole = begun.count < partition.segments.count && partition.segments[begun.count].isNext(after: next)
      sure += (isWhole ? begun[...] : begun.dropLast()).map(\.name)
      if !isWhole, let last = begun.last { maybe.append(last.name) }
    }
    if function.settledSegments >= sure.count + maybe.count { return (Set(sure + maybe), true) }
    return (Set(sure), function.settledSegments == sure.count)
  }
}

extension Segment {
  /// True where everything before this segment is settled when `next` is the next position: nothing lies between.
  fileprivate func isNext(after next: Position) -> Bool {
    guard let begins else { return false }
    if case .place = numbering { return begins == next }
    return begins.number == (next.index == 0 ? next.number : next.number.advanced(by: 1))
  }
}
