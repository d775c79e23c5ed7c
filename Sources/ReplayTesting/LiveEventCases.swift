import ReplayCore

extension LiveSourceConformance {
  static let eventCases: [Case] = [
    Case("a payload of 1 MiB between small ones", largePayload),
    Case("payloads of every length around buffer sizes", manySizes),
    Case("any bytes above ASCII", utf8),
    Case("tombstones", needs: [.tombstones], tombstones),
    Case("keys and headers", needs: [.keys, .headers], keysAndHeaders),
    Case("events that are appended while the stream is read", appendedMeanwhile),
  ]

  private static func readsBack(_ written: [LiveDraft], _ harness: any LiveHarness, _ what: String) throws {
    try harness.create("0")
    _ = try harness.append(written, to: "0")
    let source = try harness.source()
    defer { source.close() }
    let account = try source.everything(from: ["0": source.live("0").start])
    let found = account.events[source.partition("0")] ?? []
    try requireEqual(found.map(\.draft.payload), written, what)
    for (event, draft) in zip(found, written) {
      if harness.abilities.contains(.keys) { try require(event.draft.key, is: draft.key, "\(what): the key") }
      if harness.abilities.contains(.headers) {
        try require(event.draft.headers, is: draft.headers, "\(what): headers")
      }
    }
  }

  static func sized(_ bytes: Int, _ number: Int) -> LiveDraft {
    let frame = "{\"n\":\(number),\"pad\":\"\"}"
    let pad = String(
      repeating: Character(Unicode.Scalar(UInt8(97 + number % 26))), count: max(0, bytes - frame.utf8.count))
    return LiveDraft("{\"n\":\(number),\"pad\":\"\(pad)\"}")
  }

  static func largePayload(_ harness: any LiveHarness) throws {
    try readsBack([sized(20, 0), sized(1 << 20, 1), sized(20, 2), sized(3 << 20, 3), sized(20, 4)], harness, "large")
  }

  static func manySizes(_ harness: any LiveHarness) throws {
    var sizes = Array(20..<150)
    for power in [12, 16, 18] { sizes += (-3...3).map { (1 << power) + $0 } }
    try readsBack(sizes.enumerated().map { sized($1, $0) }, harness, "every length")
  }

  static func utf8(_ harness: any LiveHarness) throws {
    try readsBack([LiveDraft("{\"a\":\"größe 💄 \u{2028} \\n\"}"), LiveDraft("{\"a\":\"\u{7f}\"}")], harness, "UTF-8")
  }

  static func tombstones(_ harness: any LiveHarness) throws {
    let key = Array("k".utf8)
    try readsBack(
      [LiveDraft("{\"n\":1}", key: "k"), LiveDraft(payload: nil, key: key), LiveDraft("{\"n\":2}", key: "k")], harness,
      "tombstones")
  }

  static func keysAndHeaders(_ harness: any LiveHarness) throws {
    let headers = "[{\"key\":\"trace\",\"value\":\"a\"},{\"key\":\"trace\",\"value\":\"b\"}]"
    try readsBack(
      [LiveDraft("{\"n\":1}", key: "k", headers: headers), LiveDraft("{\"n\":2}"), LiveDraft("{\"n\":3}", key: "")],
      harness, "keys and headers")
  }

  static func appendedMeanwhile(_ harness: any LiveHarness) throws {
    try harness.create("0")
    let source = try harness.source()
    defer { source.close() }
    try source.seek([source.partition("0"): source.live("0").start])
    var account = LiveAccount()
    for round in 0..<60 {
      _ = try harness.append(drafts(round * 7..<round * 7 + 7), to: "0")
      if let event = try source.poll(milliseconds: 0) { try account.add(event) }
    }
    let partition = source.partition("0")
    // An end that was told before the last events were there may still be under way.
    if account.payloads(partition).count < 420 {
      try source.read([], into: &account) { $0.payloads(partition).count == 420 }
    }
    try requireEqual(account.payloads(partition), drafts(0..<420), "appended meanwhile")
  }
}
