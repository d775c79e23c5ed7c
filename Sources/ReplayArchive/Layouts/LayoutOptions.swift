import ReplayCore

/// Where a user says the parts of an event are. `key`, `type`, `time` and `id` begin at the payload, as the
/// function's own fields do; `position` begins at the record, because it is the envelope's.
public struct AnatomyOverrides: Sendable, Hashable {
  public var key: JSONPath?
  public var type: JSONPath?
  public var time: JSONPath?
  public var position: JSONPath?
  public var id: JSONPath?

  public init(
    key: JSONPath? = nil, type: JSONPath? = nil, time: JSONPath? = nil, position: JSONPath? = nil, id: JSONPath? = nil
  ) {
    self.key = key
    self.type = type
    self.time = time
    self.position = position
    self.id = id
  }

  func applied(to anatomy: Anatomy) -> Anatomy {
    var anatomy = anatomy
    func absolute(_ path: JSONPath) -> JSONPath { anatomy.absolute(.payload(path)) }
    if let key { anatomy.key = absolute(key) }
    if let type { anatomy.type = absolute(type) }
    if let time { anatomy.time = absolute(time) }
    if let id { anatomy.id = absolute(id) }
    if let position { anatomy.position = position }
    return anatomy
  }
}

/// What a user says about an archive's layout; everything unsaid is found out.
public struct LayoutOptions: Sendable, Hashable {
  public var layout: LayoutKind?
  public var pattern: NamePattern?
  public var overrides: AnatomyOverrides

  public init(layout: LayoutKind? = nil, pattern: NamePattern? = nil, overrides: AnatomyOverrides = AnatomyOverrides())
  {
    self.layout = layout
    self.pattern = pattern
    self.overrides = overrides
  }

  /// The layout that was named; nil where it is to be found. Throws `.usage` where pattern and layout contradict.
  func named() throws -> LayoutKind? {
    switch (layout, pattern) {
    case (nil, nil): return nil
    case (nil, .some), (.pattern, .some): return .pattern
    case (.pattern, nil):
      throw ReplayError(.usage, "the layout `pattern` needs a pattern", next: "give it with --segment-pattern")
    case (let layout?, nil): return layout
    case (let layout?, .some):
      throw ReplayError(
        .usage, "--layout \(layout.rawValue) and --segment-pattern contradict each other", next: "give one of them")
    }
  }
}

/// A layout, what it means for positions, order and keys, and why it was taken.
public struct DetectedLayout: Sendable {
  public var layout: LayoutKind
  public var pattern: NamePattern?
  /// Lines for a person: what was seen and what was concluded.
  public var evidence: [String]
  public var anatomy: Anatomy
  /// Nil where no record was seen.
  public var framing: Framing?
  public var numberingKind: NumberingKind
  public var orderStrength: OrderStrength
  public var endStrength: EndStrength
  /// True where the writer keeps all events of a key in one partition.
  public var partitionsSeparateKeys: Bool
  /// True where the partition keys are read from files beside the segments.
  public var usesKeysFiles: Bool
}
