import ReplayArchive
import ReplayCore
import Testing

@Suite struct PatternTests {
  static let rows: [(pattern: String, name: String, expected: ParsedName?)] = [
    ("{topic}/{partition}/{start}.json", "x/t/3/07.json", ParsedName(topic: "t", partition: "3", first: number(7))),
    (
      "{topic}-{partition}-{start}{*}", "eu-t-3-12.json.gz",
      ParsedName(topic: "eu-t", partition: "3", first: number(12))
    ),
    ("{*}{start}.gz", "abc123.gz", ParsedName(first: number(123))),
    ("p0{start}.gz", "p012.gz", ParsedName(first: number(12))),
    ("{start}0.gz", "120.gz", ParsedName(first: number(12))),
    ("{start}-{last}.zst", "0-99.zst", ParsedName(first: number(0), last: number(99))),
    ("{topic}/{time}.{*}", "t/2024-05-17T03:00Z.json", ParsedName(topic: "t", time: "2024-05-17T03:00Z")),
    ("{partition}/{*}", "shardId-000000000001/x", ParsedName(partition: "shardId-000000000001")),
    ("{partition}/{*}", "007/x", ParsedName(partition: "7")),
    ("a{start}", "ba1", nil), ("a{start}", "b/a1", ParsedName(first: number(1))),
    ("{start}.gz", "x/1.gz.tmp", nil), ("{topic}/{start}", "1", nil), ("{start}", "12x", nil),
    (
      "{start}", String(repeating: "9", count: 56),
      ParsedName(first: WideNumber(decimal56: String(repeating: "9", count: 56)))
    ),
    ("{start}", String(repeating: "9", count: 60), nil),
  ]

  @Test(arguments: rows)
  func matches(_ row: (pattern: String, name: String, expected: ParsedName?)) throws {
    #expect(try NamePattern(row.pattern).match(row.name) == row.expected)
  }

  @Test(arguments: ["{start", "{begin}", "{start}-{start}", "{start}{last}", "{topic}{*}", "{*}{*}"])
  func refuses(_ pattern: String) {
    #expect(failure { _ = try NamePattern(pattern) }?.code == .usage)
  }

  @Test func naturalOrder() {
    let sorted = [
      "a", "a/9", "a/10", "a-1", "a7", "a07", "a8", "a18446744073709551615", "a18446744073709551616", "ab", "b",
    ]
    for (i, left) in sorted.enumerated() {
      for (j, right) in sorted.enumerated() {
        let tied = Set([left, right]) == ["a7", "a07"]
        if !tied { #expect(NaturalOrder.precedes(left, right) == (i < j), "\(left) \(right)") }
      }
    }
    #expect(NaturalOrder.precedes("a07", "a7") != NaturalOrder.precedes("a7", "a07"))
  }
}
