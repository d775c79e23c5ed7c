import ReplayCore

extension Run {
  /// A report that was written over the store, or into the archive or the stream, would destroy what it tells of.
  func refuseReportsInPlaces() throws {
    let store = try self.store.address.path.flatMap(InputFile.real)
    var places: [String] = [archive.archive].compactMap(\.self)
    if let live = stream.live, live.hasPrefix("dir:") { places.append(String(live.dropFirst("dir:".count))) }
    let roots = places.compactMap { InputFile.real($0) }
    for report in [report, stream.handoffReport].compactMap(\.self) where report != "-" {
      let path = InputFile.absolute(report)
      let found = InputFile.real(path) ?? InputFile.real(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
      guard let found else { continue }
      let isInside = roots.contains { found == $0 || found.hasPrefix($0 + "/") }
      guard isInside || found == store else { continue }
      throw ReplayError(
        .usage,
        "a report would be written \(isInside ? "into the archive or the stream" : "over the store"): \(report)",
        effect: "nothing was written", next: "name another place")
    }
  }
}
