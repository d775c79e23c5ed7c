import ReplayArchive

/// One way of writing an archive, and what it lets a reader prove.
struct Layout: Sendable {
  enum Numbers: Sendable {
    /// The name says the first record's number, each record adds one.
    case counted
    /// Each record carries its own.
    case explicit
    /// The names are hours, one after another.
    case hours
    case none
  }

  enum Framing: Sendable { case lines, concatenated, array }

  let name: String
  let numbers: Numbers
  var framing = Framing.lines
  /// The name says the first record's number too, though records carry their own.
  var namesFirst = false
  /// The name says the last record's number.
  var namesLast = false
  /// Each record says which partition it is of.
  var recordsNamePartition = false
  var hasKeysFiles = false
  var partitions = 2
  var files = 3
  /// What the user has to say for it.
  var pattern: String?

  static let all: [Layout] = [
    Layout(name: "confluent", numbers: .counted, namesFirst: true),
    Layout(name: "confluent-keys", numbers: .counted, namesFirst: true, hasKeysFiles: true, files: 2),
    Layout(name: "aiven", numbers: .explicit, namesFirst: true),
    Layout(name: "aiven-value", numbers: .counted, namesFirst: true),
    Layout(name: "aiven-array", numbers: .explicit, framing: .array, namesFirst: true),
    Layout(name: "lenses", numbers: .explicit, namesLast: true, recordsNamePartition: true),
    Layout(name: "kcr", numbers: .explicit, recordsNamePartition: true, partitions: 3, files: 1),
    Layout(name: "firehose", numbers: .none, framing: .concatenated, partitions: 1, files: 4),
    Layout(name: "gharchive", numbers: .hours, partitions: 1, files: 4),
    Layout(name: "plain", numbers: .none, partitions: 1, files: 4),
    Layout(
      name: "pattern", numbers: .counted, namesFirst: true, pattern: "p{partition}/from-{start}.log"),
  ]

  var isNumbered: Bool { numbers == .counted || numbers == .explicit }

  /// As the planner calls the partition.
  func partition(_ number: Int) -> String {
    switch name {
    case "firehose": "retail/all"
    case "gharchive": "gharchive/all"
    case "plain": "all"
    case "pattern": "\(number)"
    default: "retail/\(number)"
    }
  }

  /// The name of a file. `order` is its place in the archive where there are no numbers.
  func fileName(partition: Int, first: UInt64, last: UInt64, order: Int, suffix: String) -> String {
    switch name {
    case "confluent", "confluent-keys":
      "topics/retail/partition=\(partition)/retail+\(partition)+\(padded(first, 10)).json\(suffix)"
    case "aiven", "aiven-value", "aiven-array": "retail-\(partition)-\(first).jsonl\(suffix)"
    case "lenses": "retail/\(partition)/\(padded(last, 12))_\(1000 + first)_\(1000 + last).json\(suffix)"
    case "kcr": "kcr-retail-20260101-000000/retail-\(partition)"
    case "firehose":
      "2026/01/01/00/retail-1-2026-01-01-00-00-\(padded(UInt64(order), 2))-0a1b2c3d-0000-4000-8000-00000000000a"
    case "gharchive": "2026-01-01-\(order).json\(suffix)"
    case "plain": "part-\(order).jsonl\(suffix)"
    default: "p\(partition)/from-\(padded(first, 6)).log"
    }
  }

  /// Files beside the segments that the archive needs to be known by.
  var manifest: (name: String, bytes: [UInt8])? {
    name == "kcr" ? ("kcr-retail-20260101-000000/retail.manifest", Array("topic:retail\n".utf8)) : nil
  }

  /// One event as this layout archives it.
  func record(_ event: SentEvent) -> String {
    switch name {
    case "aiven", "aiven-array":
      #"{"key":"\#(event.key)","value":\#(event.payload),"offset":\#(event.number),"#
        + #""timestamp":"2026-01-01T00:00:00.000Z","headers":\#(event.headers ?? "[]")}"#
    case "lenses":
      #"{"key":"\#(event.key)","value":\#(event.payload),"headers":\#(event.headers ?? "{}"),"metadata":"#
        + #"{"offset":\#(event.number),"partition":\#(event.partition),"timestamp":1,"topic":"retail"}}"#
    case "kcr":
      #"{"headers":\#(event.headers ?? "{}"),"timestamp":1,"partition":\#(event.partition),"offset":\#(event.number),"#
        + #""key":"\#(event.key)","value":"\#(hex(event.payload))"}"#
    default: event.payload
    }
  }

  /// Headers as a function sees them; nil where the layout has none.
  func headers(_ number: UInt64) -> String? {
    switch name {
    case "aiven", "aiven-array", "confluent-keys": #"[{"key":"h","value":"v\#(number)"}]"#
    case "lenses", "kcr": #"{"h":"v\#(number)"}"#
    default: nil
    }
  }

  func payload(partition: Int, number: UInt64, key: String) -> String {
    if name == "gharchive" {
      return #"{"id":"\#(number)","type":"PushEvent","repo":{"name":"\#(key)"},"created_at":"2026-01-01T00:00:00Z"}"#
    }
    let own = hasKeysFiles ? "" : #""partitionkey":"\#(key)","#
    return #"{"specversion":"1.0","id":"\#(partition)-\#(number)",\#(own)"type":"sold","n":\#(number * 7919 % 1000)}"#
  }

  private func hex(_ text: String) -> String {
    text.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }
}

func padded(_ number: UInt64, _ digits: Int) -> String {
  let text = String(number)
  return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

/// One event as it was sent, before any archive.
struct SentEvent: Sendable {
  let partition: Int
  let number: UInt64
  let key: String
  let payload: String
  let headers: String?

  /// What the sentinel must have recorded of it.
  func applied(number: UInt64?, key: String? = nil, headers: String?? = nil) -> Applied {
    Applied(number: number, key: key ?? self.key, print: Applied.print(payload, headers ?? self.headers))
  }
}

/// One event as a function was given it.
struct Applied: Hashable, Sendable {
  /// Nil where the layout has no numbers.
  let number: UInt64?
  let key: String
  /// FNV-1a of payload and headers.
  let print: Int64

  static func print(_ payload: String, _ headers: String?) -> Int64 {
    print(Array(payload.utf8), headers.map { Array($0.utf8) })
  }

  static func print(_ payload: some Sequence<UInt8>, _ headers: (some Sequence<UInt8>)?) -> Int64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    for byte in payload { add(byte) }
    add(0)
    if let headers { for byte in headers { add(byte) } }
    return Int64(bitPattern: hash)
  }
}
