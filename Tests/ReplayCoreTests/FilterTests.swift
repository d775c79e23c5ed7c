import ReplayCore
import ReplayTesting
import Testing

/// What one event, or one key, is decided by.
struct FilterTests {
  private static func bytes(_ chance: inout SplitMix64, count: ClosedRange<Int>, letters: ClosedRange<Int>) -> [UInt8] {
    (0..<chance.number(count)).map { _ in UInt8(chance.number(letters)) }
  }

  /// Texts of few letters, so that many begin alike and many come twice; against the standard library's set.
  @Test(arguments: [UInt64(1), 2, 3]) func aTextSetIsASetOfBytes(seed: UInt64) {
    var chance = SplitMix64(seed: seed)
    for size in [0, 1, 2, 3, 100, 3000] {
      let texts = (0..<size).map { _ in FilterTests.bytes(&chance, count: 0...6, letters: 97...99) }
      let (set, model) = (TextSet(texts), Set(texts))
      #expect(set.count == model.count && set.isEmpty == model.isEmpty, "seed \(seed)")
      #expect(set.strings == model.map { String(decoding: $0, as: UTF8.self) }.sorted(), "seed \(seed)")
      for text in texts + (0..<500).map({ _ in FilterTests.bytes(&chance, count: 0...6, letters: 97...100) }) {
        #expect(text.withUnsafeBytes { set.contains(Text($0)) } == model.contains(text), "seed \(seed): \(text)")
      }
      let again = TextSet(texts.reversed() + texts)
      #expect(again == set && again.digest == set.digest, "the order and repetitions are nothing, seed \(seed)")
    }
  }

  /// Two texts that Swift holds for equal are two keys; so are all that one byte tells apart.
  @Test func digestsTellSetsApart() {
    let composed = TextSet(["\u{e9}"])
    #expect(withText("e\u{301}") { composed.contains($0) } == false)
    let sets = [[], [""], ["a"], ["b"], ["a", "b"], ["ab"], ["a", "b", ""], ["\u{e9}"], ["e\u{301}"]].map {
      TextSet($0)
    }
    #expect(Set(sets.map(\.digest)).count == sets.count)
  }

  @Test(arguments: [
    ("1%", 1_000_000, "1%"), ("0.25%", 250_000, "0.25%"), ("100%", 100_000_000, "100%"),
    ("12.500000%", 12_500_000, "12.5%"),
    ("0.000001%", 1, "0.000001%"), ("099%", 99_000_000, "99%"),
  ]) func samplesAreRead(text: String, share: Int, shown: String) throws {
    let sample = try #require(KeySample(text))
    #expect(sample.share == UInt64(share) && "\(sample)" == shown)
    #expect(KeySample(shown) == sample)
  }

  @Test(arguments: [
    "", "%", "1", "0%", "0.0%", "101%", "100.000001%", "1.%", ".5%", "-1%", "+1%", "1.0000001%", "1e1%", "1 %",
  ])
  func whatIsNoSampleIsNone(text: String) { #expect(KeySample(text) == nil) }

  /// By its definition, in 128 bits; a smaller sample is part of a larger one; about as many keys as were asked for.
  @Test func aSampleIsByTheHashOfTheHash() throws {
    let keys = (0..<20_000).map { "customer-\($0)" }
    var before: Set<String> = []
    for (share, most, least) in [
      (UInt64(1), 0.001, 0.0), (1_000_000, 0.013, 0.007), (50_000_000, 0.52, 0.48), (100_000_000, 1, 1),
    ] {
      let sample = try #require(KeySample(share: share))
      let bound = (UInt128(share) << 64) / 100_000_000
      let chosen = keys.filter { key in withText(key) { sample.contains($0) } }
      let model = keys.filter { key in withText(key) { UInt128(KeyHash.hash(KeyHash.hash($0))) < bound } }
      #expect(chosen == model)
      #expect(before.isSubset(of: chosen))
      let part = Double(chosen.count) / Double(keys.count)
      #expect(part <= most && part >= least, "\(share): \(part)")
      before = Set(chosen)
    }
    // Lanes have ranges of the hash itself: each gets its part of a sample.
    let sample = try #require(KeySample("10%"))
    let lanes = keys.filter { key in withText(key) { sample.contains($0) } }.map { key in
      withText(key) { Int(KeyHash.hash($0) >> 62) }
    }
    for lane in 0..<4 { #expect(lanes.filter { $0 == lane }.count > lanes.count / 6) }
  }

  // MARK: One event

  private static func time(_ text: String) -> Timestamp {
    withText(text) { ValueParsing.timestamp($0) } ?? Timestamp(microseconds: 0)
  }

  @Test func timesAreHalfOpen() {
    let (from, to) = (FilterTests.time("2026-01-31T00:00:00Z"), FilterTests.time("2026-02-01T00:00:00Z"))
    let moments =
      [-1, 0, 1].map { Timestamp(microseconds: from.microseconds + $0) }
      + [-1, 0, 1].map { Timestamp(microseconds: to.microseconds + $0) }
    for (from, to, wanted) in [
      (Timestamp?.none, Timestamp?.none, [true, true, true, true, true, true]),
      (from, nil, [false, true, true, true, true, true]), (nil, to, [true, true, true, true, false, false]),
      (from, to, [false, true, true, true, false, false]),
    ] {
      var filter = EventFilter()
      (filter.fromTime, filter.toTime) = (from, to)
      #expect(moments.map { filter.admits(time: $0) } == wanted)
      #expect(filter.readsTime == (from != nil || to != nil) && !filter.readsKey && !filter.readsType)
    }
  }

  /// Every way to have keys, keys that are left out and a sample, or not, for keys of all kinds and none.
  @Test func keysAreDecidedTogether() throws {
    let all = ["a", "b", "c", "d", "\u{e9}", "e\u{301}"]
    for keys in [nil, ["a", "b", "\u{e9}"]] as [[String]?] {
      for excluded in [nil, ["b", "c", "\u{e9}"]] as [[String]?] {
        for sample in [nil, KeySample("100%"), KeySample("50%")] {
          var filter = EventFilter()
          (filter.keys, filter.excludedKeys, filter.sample) = (
            keys.map { TextSet($0) }, excluded.map { TextSet($0) }, sample
          )
          for key in all {
            let has = { (list: [String]) in list.contains { Array($0.utf8) == Array(key.utf8) } }
            let wanted = withText(key) { text in
              (keys.map(has) ?? true) && !(excluded.map(has) ?? false) && (sample?.contains(text) ?? true)
            }
            #expect(
              withText(key) { filter.admits(key: $0) } == wanted, "\(key) of \(keys ?? []) without \(excluded ?? [])")
          }
          #expect(filter.admits(key: nil) == (keys == nil && sample == nil))
          #expect(filter.readsKey == (keys != nil || excluded != nil || sample != nil))
          #expect(filter.isNone == !filter.readsKey)
        }
      }
    }
  }

  @Test func typesAreTexts() {
    var filter = EventFilter()
    #expect(filter.admits(type: nil))
    filter.types = TextSet(["sold", "viewed"])
    for (type, wanted) in [("sold", true), ("viewed", true), ("solD", false), ("", false), ("sold ", false)] {
      #expect(withText(type) { filter.admits(type: $0) } == wanted)
    }
    #expect(!filter.admits(type: nil), "an event without a type is of none")
  }

  /// A partition by its name or with its log; who is not named has the edge of all, where there is one.
  @Test func positionsAreOfPartitions() {
    let partitions = [
      Partition(log: "retail", id: "3"), Partition(log: "other", id: "3"), Partition(log: "retail", id: "13"),
      Partition(log: "x", side: .live, id: "3"), Partition(log: "", id: "3"),
    ]
    let five = Position(5)
    let nine = Position(9)
    for (edges, wanted) in [
      ([], [nil, nil, nil, nil, nil]), ([PartitionEdge(nil, five)], [five, five, five, five, five]),
      ([PartitionEdge("3", five)], [five, five, nil, five, five]),
      // A stream has a name of its own.
      ([PartitionEdge("retail/3", five)], [five, nil, nil, five, nil]),
      ([PartitionEdge(nil, nine), PartitionEdge("retail/3", five)], [five, nine, nine, five, nine]),
      ([PartitionEdge("13", five)], [nil, nil, five, nil, nil]),
    ] as [([PartitionEdge], [Position?])] {
      var filter = EventFilter()
      filter.fromPositions = edges
      #expect(partitions.map { filter.positions(of: $0).from } == wanted, "\(edges)")
      filter.toPositions = [PartitionEdge(nil, nine)]
      #expect(partitions.allSatisfy { filter.positions(of: $0).to == nine })
    }
  }

  @Test(arguments: [
    (Slice.Kind.string, "2026-01-31T08:12:33Z", 1_769_847_153_000_000),
    (.number, "1769847153000", 1_769_847_153_000_000),
    (.number, "1769847153", 1_769_847_153_000_000), (.number, "99999999999", 99_999_999_999_000_000),
    (.number, "100000000000", 100_000_000_000_000), (.number, "0", 0), (.number, "-5", -5_000_000),
  ]) func timesAreReadAsTheyAreWritten(kind: Slice.Kind, text: String, microseconds: Int64) {
    #expect(withText(text) { EventTime.read(kind, $0) }?.microseconds == microseconds)
  }

  @Test(arguments: [
    (Slice.Kind.string, "2026-01-31"), (.string, "1769847153000"), (.number, "1.5"), (.number, "9223372036854775807"),
    (.null, "null"), (.boolean, "true"), (.missing, ""), (.object, "{}"),
  ]) func whatIsNoTimeOfAnEventIsNone(kind: Slice.Kind, text: String) {
    #expect(withText(text) { EventTime.read(kind, $0) } == nil)
  }
}

/// What a store keeps of a filter.
struct FilterStatementTests {
  private static func request(_ change: (inout FilterRequest) -> Void) -> FilterRequest {
    var request = FilterRequest()
    change(&request)
    return request
  }

  /// No two filters have the same words, and no words have a key in them.
  @Test func wordsSayWhichFilter() {
    let day = Timestamp(microseconds: 1_769_817_600_000_000)
    let requests = [
      Self.request { _ in },
      Self.request { $0.from = .time(day) },
      Self.request { $0.to = .time(day) },
      Self.request { $0.from = .positions([PartitionEdge(nil, Position(100))]) },
      Self.request { $0.from = .positions([PartitionEdge("100", Position(100))]) },
      Self.request {
        $0.from = .positions([PartitionEdge("b", Position(1)), PartitionEdge("a", Position(7, index: 2))])
      },
      Self.request { $0.from = .positions([PartitionEdge("a:7", Position(2)), PartitionEdge("b", Position(1))]) },
      Self.request { $0.from = .last(100) },
      Self.request { $0.to = .last(100) },
      Self.request { $0.from = .end },
      Self.request { $0.types = TextSet(["a", "b"]) },
      Self.request { $0.types = TextSet(["a, b"]) },
      Self.request { $0.types = TextSet(["a; without 1 key"]) },
      Self.request { $0.keys = TextSet(["secret-1"]) },
      Self.request { $0.keys = TextSet(["secret-2"]) },
      Self.request { $0.excludedKeys = TextSet(["secret-1"]) },
      Self.request { $0.sample = KeySample("1%") },
      Self.request { $0.sample = KeySample("10%") },
    ]
    let words = requests.map(\.words)
    #expect(Set(words).count == words.count, "\(words)")
    #expect(words.allSatisfy { !$0.contains("secret") })
    #expect(words[0].isEmpty && words[1] == "from 2026-01-31T00:00:00.000Z")
    #expect(words[5] == "from a:7:2, b:1", "in the order of names")
    #expect(words[10] == "types a, b" && words[16] == "1% of the keys")
    let all = Self.request {
      ($0.from, $0.to, $0.types) = (.time(day), .last(5), TextSet(["x"]))
      ($0.excludedKeys, $0.sample) = (TextSet(["a", "b"]), KeySample("1%"))
    }
    #expect(
      all.words.hasPrefix(
        "from 2026-01-31T00:00:00.000Z; to the last 5 of each partition; types x; without 2 keys (digest "))
  }

  /// Edges that depend on the archive stand as they were found first; others need none.
  @Test func edgesAreKeptWhereTheyDepend() throws {
    var edges = FilterEdges()
    edges.from = [PartitionEdge("retail/0", Position(41)), PartitionEdge("a name", Position(7, index: 3))]
    edges.to = [PartitionEdge("", Position(9))]
    #expect(try #require(FilterEdges(text: edges.text)) == edges)
    #expect(FilterEdges(text: "") == FilterEdges())
    for wrong in ["from", "from 12 a", "between \(Position(1).stored) a"] { #expect(FilterEdges(text: wrong) == nil) }
    let last = Self.request { ($0.from, $0.to) = (.last(3), .last(1)) }
    #expect(last.isRelative && last.statement(edges).edges == edges.text)
    let filter = last.filter(edges)
    #expect(filter.positions(of: Partition(log: "retail", id: "0")).from == Position(41))
    #expect(filter.positions(of: Partition(log: "", id: "")).to == Position(9))
    // What the archive did not have then is after all of it.
    let new = filter.positions(of: Partition(log: "new", id: "0"))
    #expect(new.from == nil && new.to == .zero)
    let fixed = Self.request { $0.from = .positions([PartitionEdge(nil, Position(3))]) }
    #expect(!fixed.isRelative && fixed.statement(edges).edges.isEmpty)
  }

  @Test func anotherFilterIsRefusedWithBoth() throws {
    let (every, some) = (FilterStatement(), FilterStatement(words: "types a", edges: "x"))
    #expect(some.refusal(of: FilterStatement(words: "types a"), function: "f", store: "s") == nil)
    #expect(every.refusal(of: every, function: "f", store: "s") == nil)
    for (stored, now) in [(every, some), (some, every)] {
      let error = try #require(stored.refusal(of: now, function: "f", store: "s"))
      #expect(error.code == .config && "\(error)".contains("only types a") && "\(error)".contains("every event"))
    }
  }
}
