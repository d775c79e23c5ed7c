import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

/// Several functions in one read: conditions, masks, what each has settled, bounds, and records' own numbers.
@Suite struct FunctionsTests {
  private func reads(_ change: (inout Reads) -> Void) -> Reads {
    var reads = Reads()
    change(&reads)
    return reads
  }

  @Test func conditionsAndMasks() {
    let functions = [
      reads { _ = $0.text("data.n") },
      reads { $0.only(type: "a") },
      reads {
        $0.only(type: "a", "b")
        $0.only("data.c", is: "x")
      },
      reads { $0.only("data.c", is: "") },
    ]
    let table: [(record: String, mask: UInt32)] = [
      (#"{"type":"a","data":{"c":"x"}}"#, 0b0111), (#"{"type":"b","data":{"c":"x"}}"#, 0b0101),
      (#"{"data":{"c":"x"},"type":"b"}"#, 0b0101), (#"{"type":"c","data":{"c":"x"}}"#, 0b0001),
      (#"{"type":"a"}"#, 0b0011), (#"{"data":{"c":""}}"#, 0b1001), (#"{"type":"a","data":{"c":""}}"#, 0b1011),
      (#"{"type":["a"],"data":{"c":null}}"#, 0b0001), (#"{"type":"A","data":{"c":"xx"}}"#, 0b0001),
      (#"{"type":"\u0061","data":{"c":"\u0078"}}"#, 0b0111), ("{}", 0b0001), ("null", 0b0001),
      (#"{"type":"a","type":"c"}"#, 0b0011), (#"{"type":"c","type":"a"}"#, 0b0001), (#"{"type":1}"#, 0b0001),
    ]
    let text = Array(lines(table.map(\.record)).utf8)
    for blockBytes in [100, 1 << 19] {
      let decoded = decode(
        text, functions: functions, limits: limits(blockBytes: blockBytes), range: SegmentRange(from: [0, 0, 0, 0]))
      #expect(decoded.error == nil)
      #expect(decoded.raws == table.map(\.record))
      for (found, expected) in zip(decoded.records, table) {
        #expect(found.mask == expected.mask, "\(expected.record)")
      }
    }
    // Without the function that wants everything, records that nobody wants are gone.
    let some = decode(text, functions: Array(functions[1...]), range: SegmentRange(from: [0, 0, 0]))
    #expect(some.raws == table.filter { $0.mask > 1 }.map(\.record))
    #expect(some.records.map(\.mask) == table.filter { $0.mask > 1 }.map { $0.mask >> 1 })
    #expect(some.scanned == UInt64(table.count))
  }

  @Test func thirtyTwoFunctions() {
    let functions = (0..<32).map { index in reads { $0.only(type: "t\(index)") } }
    let text = (0..<64).map { #"{"type":"t\#($0)"}"# }.map { $0 + "\n" }.joined()
    let decoded = decode(
      Array(text.utf8), functions: functions, range: SegmentRange(from: [UInt64](repeating: 0, count: 32)))
    #expect(decoded.records.map(\.mask) == (0..<32).map { 1 << UInt32($0) })
  }

  @Test(arguments: [64, 300, 1 << 19]) func fromAndUntil(_ blockBytes: Int) {
    let functions = [reads { _ = $0.integer("data.n") }, reads { _ = $0.text("id") }]
    let text = Array(lines(records(40)).utf8)
    for (a, b, until) in [
      (0, 0, 40), (10, 3, 40), (40, 0, 40), (40, 41, 99), (99, 20, 30), (5, 5, 5), (7, 9, 8), (0, 0, 0),
    ] {
      let range = SegmentRange(from: [UInt64(a), UInt64(b)], untilOrdinal: UInt64(until))
      let decoded = decode(text, functions: functions, limits: limits(blockBytes: blockBytes), range: range)
      let end = min(until, 40)
      let what: Comment = "from \(a) and \(b) until \(until)"
      #expect(decoded.error == nil, what)
      let expected = (0..<end).map { UInt32(($0 >= a ? 1 : 0) + ($0 >= b ? 2 : 0)) }
      #expect(decoded.records.map(\.mask) == expected.filter { $0 > 0 }, what)
      #expect(decoded.below == [UInt64(min(a, end)), UInt64(min(b, end))], what)
      #expect(decoded.scanned == UInt64(end), what)
    }
  }

  // MARK: Records' own numbers

  private func numbered(
    _ numbers: [UInt64], from: UInt64 = 0, until: UInt64 = .max, drop: Bool = false, blockBytes: Int = 1 << 19
  ) -> DecodedSegment {
    let text = lines(numbers.enumerated().map { #"{"n":\#($1),"data":{"n":\#($0)}}"# })
    return decode(
      Array(text.utf8), limits: limits(blockBytes: blockBytes), range: SegmentRange(from: [from], untilOrdinal: until),
      anatomy: Anatomy(position: JSONPath("n")), dropDuplicates: drop)
  }

  static let numberCases: [(numbers: [UInt64], missing: UInt64, duplicates: UInt64, inversions: UInt64)] = [
    ([5, 6, 7], 0, 0, 0), ([5, 7, 10], 3, 0, 0), ([5, 6, 6, 7], 0, 1, 0), ([5, 5, 5], 0, 2, 0),
    ([5, 7, 6, 8], 0, 0, 1),
    ([7, 6, 5], 0, 0, 2), ([5, 9, 7], 2, 0, 1), ([5, 9, 7, 7], 2, 1, 1), ([5, 9, 7, 9, 5], 2, 2, 1), ([9, 5], 3, 0, 1),
    ([9, 5, 7, 6, 8], 0, 0, 4), ([0], 0, 0, 0), ([UInt64.max - 1], 0, 0, 0), ([3, 1, 1, 2, 3, 0], 0, 2, 3),
  ]

  @Test(arguments: numberCases.indices) func numbers(_ place: Int) {
    let (numbers, missing, duplicates, inversions) = Self.numberCases[place]
    for blockBytes in [30, 1 << 19] {
      let decoded = numbered(numbers, blockBytes: blockBytes)
      #expect(decoded.error == nil)
      #expect(decoded.records.map(\.mark) == numbers)
      #expect(decoded.summary.firstNumber == numbers.min() && decoded.summary.lastNumber == numbers.max())
      #expect(decoded.summary.missingNumbers == missing, "\(numbers)")
      #expect(decoded.summary.duplicates == duplicates, "\(numbers)")
      #expect(decoded.summary.inversions == inversions, "\(numbers)")
      #expect((decoded.irregularBlocks == 0) == (missing + duplicates + inversions == 0))
      #expect(decoded.duplicates == 0 || duplicates > 0)
    }
  }

  /// Dropped duplicates are counted; the first of a number stays.
  @Test func dropsDuplicates() {
    let decoded = numbered([5, 6, 6, 7, 5, 8], drop: true)
    #expect(decoded.records.map(\.mark) == [5, 6, 7, 8])
    #expect(decoded.records.map(\.ordinal) == [0, 1, 3, 5])
    #expect(decoded.duplicates == 2 && decoded.scanned == 6)
  }

  @Test func fromNumbers() {
    let decoded = numbered([5, 7, 9, 11], from: 8)
    #expect(decoded.records.map(\.mark) == [9, 11])
    #expect(decoded.below == [2])
    #expect(numbered([5, 7, 9, 11], from: 8, until: 3).records.map(\.mark) == [9])
    #expect(numbered([5, 7], from: 100).below == [2])
  }

  @Test(arguments: [
    #"{"n":-1}"#, #"{"n":1.0}"#, #"{"n":1e3}"#, #"{"n":18446744073709551616}"#, #"{"n":"x"}"#, #"{"n":null}"#, "{}",
    #"{"n":[1]}"#, #"{"n":""}"#, "null", #"{"m":{"n":1}}"#,
  ]) func noNumber(_ bad: String) {
    let text = [#"{"n":1}"#, #"{"n":"2"}"#, bad, #"{"n":4}"#].map { $0 + "\n" }.joined()
    let decoded = decode(Array(text.utf8), anatomy: Anatomy(position: JSONPath("n")))
    #expect(decoded.failedOrdinal == 2, "\(bad): \(decoded.error.map { "\($0)" } ?? "no error")")
  }
}
