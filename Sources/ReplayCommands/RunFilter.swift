import ReplayArchive
import ReplayCore

/// The filter of one run, read once: a file of keys that changes meanwhile changes nothing.
struct RunFilter {
  let request: FilterRequest
  private var edges = FilterEdges()

  init(_ options: FilterOptions) throws { request = try options.request() }

  /// The same with the edges that depend on the archive. Throws `.usage` where the archive has no such partition, or no
  /// event that the filter could decide.
  func resolved(in archive: OpenedArchive, _ options: ArchiveOptions) throws -> RunFilter {
    if request == FilterRequest() { return self }
    let search = FilterEdgeSearch(archive: archive, options: options)
    var found = self
    if let count = RunFilter.last(request.from) { found.edges.from = try search.edges(last: count) }
    if let count = RunFilter.last(request.to) { found.edges.to = try search.edges(last: count) }
    try search.checkPartitions(of: request.filter(FilterEdges()))
    try search.checkFields(of: request.filter(found.edges))
    return found
  }

  private static func last(_ edge: FilterRequest.Edge?) -> UInt64? {
    switch edge {
    case .last(let count)?: count
    case .end?: 0
    default: nil
    }
  }

  var statement: FilterStatement { request.statement(edges) }

  /// Nil where nothing is left out.
  var words: String? { request.words.isEmpty ? nil : request.words }

  /// The stream's positions are not the archive's where that has none of its own.
  func refuseLive(_ archive: OpenedArchive) throws {
    let filter = request.filter(edges)
    guard !filter.fromPositions.isEmpty, archive.layout.numberingKind == .place else { return }
    throw ReplayError(
      .usage, "--from names positions, and this archive has none that its stream could have too",
      details: ["its positions are files and lines"], effect: "nothing was read or written",
      next: "give --from as a time")
  }

  /// The filter of these functions, with the edges as their first run found them.
  func filter(_ checkpoints: [Checkpoint]) throws -> EventFilter {
    guard request.isRelative else { return request.filter(edges) }
    let kept = Set(checkpoints.map(\.filter).filter { $0.words == request.words }.map(\.edges))
    guard kept.count <= 1 else {
      throw ReplayError(
        .usage, "--from or --to depends on what the archive held when a function first ran, and that differs",
        effect: "nothing was read or applied", next: "run the functions one after another")
    }
    guard let text = kept.first, !text.isEmpty else { return request.filter(edges) }
    guard let first = FilterEdges(text: text) else {
      throw ReplayError(
        .config, "the store's filter cannot be read", details: ["its edges: \(text)"],
        next: "use the replay that wrote it, or start anew with --full-refresh")
    }
    return request.filter(first)
  }
}

extension EventFilter {
  /// The plan without segments that lie wholly before `from` or behind `to`, as far as names tell. The last segment
  /// stays, whose end no name tells: so the function comes to the archive's end, where a stream begins.
  func plan(_ plan: ArchivePlan) -> ArchivePlan {
    var plan = plan
    for index in plan.partitions.indices {
      let (from, to) = positions(of: plan.partitions[index].partition)
      var segments = plan.partitions[index].segments[...]
      if let from {
        while let next = segments.dropFirst().first?.begins, next <= from { segments = segments.dropFirst() }
      }
      if let to { while let last = segments.last?.begins, last >= to { segments = segments.dropLast() } }
      plan.partitions[index].segments = Array(segments)
    }
    return plan
  }
}
