import CDecode
import ReplayTesting
import Testing

/// A record is predicted to have the shape of one before it: whatever follows on what, the answer is the careful way's.
@Suite struct ShapeTests {
  static let paths = ["type", "data.c", "n", "data.in.d", "raw", "typename"]
  static let functions: [LineExtractor.Conditions] = [
    [[]], [[], [(0, ["x"])]], [[(0, ["x", "y"])]], [[(1, ["x"])], [(3, ["x"])]],
    [[(5, ["x"]), (0, ["x"])], [(2, ["x"])]],
  ]

  /// Each may follow on each.
  static let records = [
    #"{"id":"1","type":"x","data":{"b":1,"c":"x","in":{"d":"x"}},"n":7,"raw":[1,{"a":"]"}],"typename":"z"}"#,
    #"{"id":"22","type":"y","data":{"b":1,"c":"y","in":{"d":"y"}},"n":8,"raw":[],"typename":"x"}"#,
    // Other kinds of values.
    #"{"id":1,"type":null,"data":{"b":"}","c":"","in":{"d":-1.5e3}},"n":"x","raw":"r","typename":true}"#,
    #"{"id":[1],"type":{"x":1},"data":{"b":{"c":"x"},"c":["x"],"in":{"d":{"d":"x"}}},"n":[],"raw":{},"typename":"x"}"#,
    #"{"id":"1","type":"x","data":"x","n":7}"#, #"{"id":"1","type":"x","data":[{"c":"x"}],"n":7}"#,
    #"{"id":"1","type":"x","data":{},"n":7}"#, #"{"id":"1","type":"x","data":{"b":1,"c":"x","in":"x"},"n":7}"#,
    // Names that are missing, moved, twice there, or nearly the same.
    #"{"id":"1","type":"x","data":{"b":1,"c":"x"},"n":7}"#, #"{"type":"x"}"#, "{}", "null",
    #"{"typename":"x","type":"x"}"#,
    #"{"n":7,"data":{"in":{"d":"x"},"c":"x"},"type":"x","raw":1}"#, #"{"type":"x","type":"y","n":1,"n":"x"}"#,
    #"{"data":{"c":"y"},"data":{"c":"x","in":{"d":"x"}},"type":"x","n":1}"#,
    #"{"data":1,"data":{"c":"x"},"type":"x","n":1}"#,
    #"{"id":"1","typenam":"x","typename":"x","typenames":"y","type":"x"}"#,
    #"{"id":"1","typenamf":"x","type":"x","n":1}"#,
    #"{"":"x","type":"x","a\#(String(repeating: "k", count: 70))":1,"n":3}"#,
    // White space and escapes.
    #"{"id": "1", "type": "x", "data": {"b": 1, "c": "x", "in": {"d": "x"}}, "n": 7, "raw": [1, 2], "typename": "z"}"#,
    #"{"id": "3", "type": "y", "data": {"b": 2, "c": "x", "in": {"d": "y"}}, "n": 8, "raw": {"x": 2}, "typename": "x"}"#,
    #"{"id":"1" ,"type":"x" ,"n":7 }"#, #"{"id":"\"","type":"\u0078","data":{"b":1,"c":"\\","in":{"d":"x"}},"n":7}"#,
    #"{"id":"\#(String(repeating: "é", count: 40))","type":"x","data":{"b":1,"c":"\#(String(repeating: "v", count: 99))"}}"#,
  ]

  /// Damage that shows only where somebody looks.
  static let odd = [
    #"{"id":"1","type":tru,"n":7}"#, #"{"id":"1","type":01,"n":7}"#, #"{"id":"1","type":"x""n":7}"#,
    #"{"id":"1","type":"x"1,"n":7}"#,
    #"{"id":1"2","type":"x","n":7}"#, #"{"id":y,"type":"x","n":7}"#, #"{"id":,"type":"x","n":7}"#,
    #"{"id":"1",,"type":"x"}"#,
    #"{"id":"1","type":"x","n":7,}"#, #"{"id" "1","type":"x"}"#, #"{"id":"1","type":"x","data":{"b":1,"c":"x",}}"#,
    #"{"id":-+,"type":"x","n":7}"#, #"{"id":1 2,"type":"x","n":7}"#, #"{"id":"1","type":"x","n":7"#,
    #"{"id":"1","type":"x"#,
  ]

  private static func expectSame(_ text: [UInt8], _ ways: [LineExtractor], behind: String = "\"", _ what: String = "") {
    let runs = ways.map { $0.run(text, behind: behind) }
    for (way, run) in runs.enumerated() {
      #expect(run == runs[0], "way \(way), \(what): \(String(decoding: text, as: UTF8.self))")
    }
  }

  @Test(arguments: functions.indices) func eachAfterEach(_ which: Int) {
    let ways = LineExtractor.all(paths: Self.paths, functions: Self.functions[which])
    for first in Self.records {
      for second in Self.records + Self.odd {
        Self.expectSame(Array("\(first)\n\(second)\n\(first)\n\(second)\n".utf8), ways)
        // The block ends with the record, or inside it; what would go on with it lies behind.
        Self.expectSame(Array("\(first)\n\(second)".utf8), ways, behind: #","type":"x"}"#)
      }
    }
  }

  @Test func everyCut() {
    let ways = LineExtractor.all(paths: Self.paths, functions: Self.functions[1])
    let record = Array(Self.records[0].utf8)
    for cut in 0...record.count {
      let rest = String(decoding: record[cut...] + record, as: UTF8.self)
      Self.expectSame(record + [10] + record[..<cut], ways, behind: rest)
      Self.expectSame(record + [10] + record[..<cut] + [10] + record, ways, behind: rest)
      for byte in Array("{}[]\",: x1y\\\u{1}".utf8) where cut < record.count {
        Self.expectSame(record + [10] + record[..<cut] + [byte] + record[(cut + 1)...], ways)
        Self.expectSame(record + [10] + record[..<cut] + [byte] + record[cut...], ways)
      }
    }
  }

  /// More shapes than are remembered, for as long as none is learned any more, then one.
  @Test func manyShapes() {
    let ways = LineExtractor.all(paths: Self.paths, functions: Self.functions[1])
    var text: [String] = []
    for number in 0..<300 {
      let name = String(repeating: "m", count: number < 200 ? number % 9 : 3)
      text.append(#"{"\#(name)":\#(number),"type":"\#(number % 2 == 0 ? "x" : "y")","n":\#(number)}"#)
    }
    for way in ways {
      let run = way.run(Array(text.joined(separator: "\n").utf8))
      #expect(run.fault == nil && run.records.map(\.mask) == (0..<300).map { $0 % 2 == 0 ? 3 : 1 })
      #expect(run.records.map { $0.fields[2] } == (0..<300).map { "3 \($0)" })
    }
  }

  /// Records of a few shapes, some of them changed by chance, some of them damaged.
  @Test(arguments: [UInt64](1...8)) func byChance(_ seed: UInt64) {
    print("shapes, seed: \(seed)")
    var random = SplitMix64(seed: seed)
    for _ in 0..<150 {
      let ways = LineExtractor.all(paths: Self.paths, functions: random.one(of: Self.functions))
      for _ in 0..<3 {
        let shapes = (0..<random.number(1...6)).map { _ in Self.members(&random, depth: 0) }
        let space = random.one(of: ["", "", " "])
        var text: [UInt8] = []
        for _ in 0..<random.number(1...12) {
          var members = random.one(of: shapes)
          if random.once(in: 4), !members.isEmpty {
            let place = random.number(0...members.count - 1)
            switch random.number(0...3) {
            case 0: members.remove(at: place)
            case 1: members.append(members[place])
            case 2: members.swapAt(place, 0)
            default: members[place] = Self.member(&random, depth: 0)
            }
          }
          var record = Array(Self.text(members, space, &random).utf8)
          if random.once(in: 40) {
            record[random.number(0...record.count - 1)] = random.one(of: Array("{}[]\",: x1y-".utf8))
          }
          text += record + [10]
        }
        if random.once(in: 10) { text.removeLast(random.number(1...min(30, text.count))) }
        Self.expectSame(text, ways, behind: random.one(of: ["\"", ",\"type\":\"x\"}", "}"]), "seed \(seed)")
      }
    }
  }

  /// A name, and what is there: the members of an object, or the letter of a kind.
  private indirect enum Member {
    case object(String, [Member])
    case value(String, Character)
  }

  private static func members(_ random: inout SplitMix64, depth: Int) -> [Member] {
    (0..<random.number(0...7)).map { _ in member(&random, depth: depth) }
  }

  private static func member(_ random: inout SplitMix64, depth: Int) -> Member {
    let name = random.one(of: ["type", "data", "c", "n", "in", "d", "raw", "typename", "typenamf", "typenam", "id", ""])
    if depth < 4, random.once(in: 3) || name == "data" || name == "in" {
      return .object(name, members(&random, depth: depth + 1))
    }
    return .value(name, random.one(of: Array("sssnwa?")))
  }

  private static func text(_ members: [Member], _ space: String, _ random: inout SplitMix64) -> String {
    let inside = members.map { member in
      switch member {
      case .object(let name, let members): "\"\(name)\":\(space)\(text(members, space, &random))"
      case .value(let name, let kind): "\"\(name)\":\(space)\(value(kind, &random))"
      }
    }
    return "{\(inside.joined(separator: ",\(space)"))}"
  }

  private static func value(_ kind: Character, _ random: inout SplitMix64) -> String {
    switch kind {
    case "s": random.one(of: ["\"x\"", "\"y\"", "\"\"", "\"\(String(repeating: "}", count: random.number(0...70)))\""])
    case "n": "\(random.number(-1000...1000))"
    case "w": random.one(of: ["true", "false", "null", "1.5E-3", "tru", "\"\\u0078\""])
    case "a": random.one(of: ["[]", "[1,[\"]\"]]", "{}", "{\"type\":\"x\"}"])
    default: value(random.one(of: Array("snwa")), &random)
    }
  }
}
