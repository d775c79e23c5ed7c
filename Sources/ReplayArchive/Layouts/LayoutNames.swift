import ReplayCore

/// Reads names as one layout does. Pure.
public struct LayoutNames: Sendable {
  public let layout: LayoutKind
  public let pattern: NamePattern?
  /// True where nobody said which layout it is: names that could as well be dates or counters are then foreign.
  let careful: Bool
  /// Names of manifests, without `.manifest`: they make a cassette of the files beside them.
  private let manifests: Set<String>

  /// `names` are all names of the archive: a manifest among them tells what the files beside it are.
  public init(_ layout: LayoutKind, pattern: NamePattern? = nil, careful: Bool = false, names: [String] = []) {
    self.layout = layout
    self.pattern = pattern
    self.careful = careful
    manifests = layout == .kcr ? Set(names.filter { $0.hasSuffix(".manifest") }.map { String($0.dropLast(9)) }) : []
  }

  public func read(_ name: String) -> NameReading {
    switch layout {
    case .confluent: ConnectNames.confluent(NameText(name))
    case .aiven: ConnectNames.aiven(NameText(name), careful: careful)
    case .lenses: ConnectNames.lenses(NameText(name), careful: careful)
    case .firehose: TimeNames.firehose(NameText(name))
    case .gharchive: TimeNames.gharchive(NameText(name))
    case .kcr: cassette(name)
    case .plain: .segment(ParsedName())
    case .pattern: pattern.flatMap { $0.match(name) }.map { .segment($0) } ?? .foreign
    }
  }

  /// `kcr-<topic>-<date>-<time>/<topic>-<n>`, or `<topic>-<n>` beside `<topic>.manifest`.
  private func cassette(_ name: String) -> NameReading {
    if name.hasSuffix(".manifest") { return .manifest }
    let text = NameText(name)
    guard let dash = text.stem.lastIndex(of: "-") else { return .foreign }
    let (topic, partition) = (text.stem[..<dash], text.stem[text.stem.index(after: dash)...])
    guard !topic.isEmpty, partition.isDigits else { return .foreign }
    let folder = text.directories.last ?? ""
    let prefix = "kcr-\(topic)-"
    let manifest = (text.directories + [topic]).joined(separator: "/")
    guard folder.hasPrefix(prefix) || manifests.contains(manifest) else { return .foreign }
    let time = folder.hasPrefix(prefix) ? String(folder.dropFirst(prefix.count)) : nil
    return .segment(ParsedName(topic: String(topic), partition: partition.unpadded, time: time))
  }
}
