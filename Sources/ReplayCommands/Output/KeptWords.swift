import ReplayCore
import ReplayEngine
import ReplaySQL

/// How events that could not be applied are spoken of.
enum KeptWords {
  /// `read 9 = applied 5 + …`, with the keys that are parked now.
  static func books(_ books: Books, _ kept: KeptEvents?) -> String {
    let keys = kept?.parkedKeys.count ?? 0
    // Only of a run with a filter there is anything.
    let filtered = books.filtered == 0 ? "" : " + filtered \(Words.count(books.filtered))"
    return "read \(Words.count(books.read)) = applied \(Words.count(books.applied)) + ignored "
      + "\(Words.count(books.ignored))\(filtered) + duplicate \(Words.count(books.duplicate)) + parked "
      + "\(Words.count(books.parked))\(keys == 0 ? "" : " (\(Words.plural(keys, "key")))") + dead-lettered "
      + Words.count(books.deadLettered)
  }

  /// One sentence; nil where nothing is kept.
  static func sentence(_ kept: KeptEvents) -> String? {
    var parts: [String] = []
    if kept.parked > 0 {
      let keys = Words.plural(kept.parkedKeys.count, "key")
      parts.append("\(Words.plural(kept.parked, "event")) of \(keys) \(kept.parked == 1 ? "is" : "are") parked")
    }
    if kept.dead > 0 {
      parts.append(kept.dead == 1 ? "1 is a dead letter" : "\(Words.count(kept.dead)) are dead letters")
    }
    return parts.isEmpty ? nil : parts.joined(separator: ", ") + " (\(Words.bytes(UInt64(kept.byteCount))))"
  }

  static func json(_ kept: KeptEvents) -> JSONText {
    .object([
      ("parked", .number(kept.parked)), ("parked_keys", .number(kept.parkedKeys.count)),
      ("dead_letters", .number(kept.dead)), ("bytes", .number(kept.byteCount)),
    ])
  }

  /// Says what is still kept and what to do; false where nothing is. `store`: as `sqlite:PATH` or a path.
  @discardableResult static func say(_ kept: [(function: String, kept: KeptEvents)], store: String) -> Bool {
    let lines = kept.compactMap { one in sentence(one.kept).map { "left      \(one.function): \($0)" } }
    for line in lines { Console.shared.say("replay: \(line)") }
    guard !lines.isEmpty else { return false }
    let path = store.hasPrefix("sqlite:") ? String(store.dropFirst("sqlite:".count)) : store
    Console.shared.say("replay: next: \(Root.toolName) failed list --store \(Words.shellQuoted(path))")
    return true
  }

  /// What became of a settled event: `parked` or `dead-lettered` where the store keeps it, else `applied`, which is also
  /// said of one that the function does not read.
  static func outcome(of place: EventPlace, for function: String?, in store: any StoreInspector) -> String {
    let filter = KeptFilter(partition: Array(place.partition.utf8), position: place.position)
    let states = ((try? store.failed(function: function, filter)) ?? []).map(\.state)
    return states.contains(.parked) ? "parked" : states.contains(.dead) ? "dead-lettered" : "applied"
  }
}
