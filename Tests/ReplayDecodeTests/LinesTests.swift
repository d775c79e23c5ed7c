import CDecode
import ReplayTesting
import Testing

/// Lines of JSON go a fast way where nothing is odd in their block: examples, each at every place in a word of 64 bytes,
/// by every kernel and by the careful way.
@Suite struct LinesTests {
  static let paths = ["type", "data.c", "n"]
  static let long = String(repeating: "k", count: 70)
  /// Wanted by: `s`, `c`, `l`, and one function that wants everything.
  static let functions: LineExtractor.Conditions = [
    [(0, ["retail.item.sold"])], [(1, ["x", ""])], [(0, ["nobody", long])], [],
  ]
  static let sold = #""type":"retail.item.sold""#

  /// For each record who wants it beside the last function (`-`: nobody), then perhaps a fault.
  typealias Example = (text: String, found: String, fault: replay_fault?)

  static let good: [(text: String, found: String)] = [
    ("", ""), ("{}", "-"), ("{\(sold)}\n", "s"), (#"{"data":{"c":"x"},\#(sold)}"#, "sc"),
    // The text is elsewhere, or another one.
    (#"{"other":"retail.item.sold","type":"x"}"#, "-"), (#"{"type":"x","data":{"d":"x"}}"#, "-"),
    (#"{"retail.item.sold":1,"x":"","type":["retail.item.sold"]}"#, "-"),
    ("{\"type\":\"retail.item.sold2\"}\n{\"type\":\"xretail.item.sold\"}\n{\"type\":\"RETAIL.ITEM.SOLD\"}", "- - -"),
    (#"{"data":{"c":""}}"#, "c"), (#"{"data":{"c":[""]},"c":""}"#, "-"), (#"{"data":"","c":"x"}"#, "-"),
    // Longer than a word.
    (#"{"type":"\#(long)"}"#, "l"), (#"{"type":"\#(long)k"}"#, "-"), (#"{"type":"\#(long.dropLast())"}"#, "-"),
    (#"{"type":"\#(long.dropLast())z"}"#, "-"), (#"{"type":"nobody","x":"\#(long)\#(long)"}"#, "l"),
    // Escapes, in values and in keys.
    (#"{"type":"retail.item.s\u006fld"}"#, "s"), (#"{"type":"retail\u002Eitem.sold","data":{"c":"\u0078"}}"#, "sc"),
    (#"{"t\u0079pe":"retail.item.sold"}"#, "s"), (#"{"d\u0061ta":{"\u0063":""}}"#, "c"),
    (#"{"x":"\\",\#(sold)}"#, "s"), (#"{"x":"\"","y":"\\\"",\#(sold)}"#, "s"), (#"{"x":"\\\" ,\#(long)"}"#, "-"),
    (#"{"x":"\",\"type\":\"retail.item.sold"}"#, "-"),
    // The first member of a name wins.
    (#"{"type":"x",\#(sold)}"#, "-"), (#"{\#(sold),"type":"x"}"#, "s"), (#"{"data":{},"data":{"c":"x"}}"#, "-"),
    // Lines.
    ("null\n{}\n null \t\r\nnull", "- - - -"), ("\n \t\n{\(sold)}\r\n\r\n  {\"n\":1}  \n\n", "s -"),
    ("\t{ \t\"type\"\t: \r\"retail.item.sold\"\t, \t\"data\" :\t{ \"c\"\r:\t\"\" \t} \r}\t \n\t", "sc"),
    // Bytes above ASCII.
    (#"{"ä€😀":"日本語 – ½","x":"\#(String(repeating: "é", count: 70))",\#(sold)}"#, "s"), ("{\"x\":\"\u{7f}\"}", "-"),
    // What is not asked for is not parsed.
    (#"{"x":tru,"y":[1,,:],"z":01,\#(sold)}"#, "s"), (#"{"x":yes_,"y":1"2",\#(sold)}"#, "s"),
    (#"{"x":"}","y":"[","z":["{",[{}],{"a":[]}],\#(sold)}"#, "s"),
  ]

  static let backslashes: [(text: String, found: String)] = [2, 4, 62, 64, 66, 126, 128, 130].flatMap { count in
    let run = String(repeating: "\\", count: count)
    return [
      (#"{"x":"\#(run)",\#(sold)}"#, "s"), (#"{"x":"\#(run)\"",\#(sold)}"#, "s"),
      (#"{"x":"\#(run)\",\#(sold.dropLast())"}"#, "-"),
    ].map { (text: $0.0.replacing(",\"type\":\"", with: $0.1 == "-" ? "" : ",\"type\":\""), found: $0.1) }
  }

  static let nested: [(text: String, found: String)] = [1, 62, 63, 64, 65, 200].flatMap { depth in
    let (open, close) = (String(repeating: "[", count: depth), String(repeating: "]", count: depth))
    let objects = String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
    return [
      (#"{"x":\#(open)\#(close),\#(sold)}"#, "s"), (#"{"x":\#(objects),\#(sold)}"#, "s"), (objects, "-"),
      (#"{\#(sold),"x":\#(open)\#(objects)\#(close)}"#, "s"),
    ]
  }

  /// In these `¿` stands for a byte that UTF-8 does not have and `¡` for the first half of a character.
  static let bad: [Example] = [
    ("{\"x\":\"¿\"}", "", REPLAY_INVALID_UTF8), ("{}\n{\"x\":\"ä¡\"}", "-", REPLAY_INVALID_UTF8),
    ("{}\n{\"x\":¿}", "-", REPLAY_INVALID_UTF8), ("{\"x\":\"\(long)\(long)¡\"}", "", REPLAY_INVALID_UTF8),
    ("{\"x\":\"\u{1}\"}", "", REPLAY_CONTROL_CHARACTER), ("{}\n{\"x\":\"\t\"}\n{}", "-", REPLAY_CONTROL_CHARACTER),
    ("{}\n{\"x\":\"}", "-", REPLAY_UNCLOSED_STRING), ("{}\n{\"x\":\"\\\"}", "-", REPLAY_UNCLOSED_STRING),
    ("{}\n{\"x\":[1}}\n{}", "-", REPLAY_UNFINISHED), ("{}\n{\"x\":{\"y\":1]}\n{}", "-", REPLAY_UNFINISHED),
    ("{}\n{\"x\":[[[1]]}\n", "-", REPLAY_UNFINISHED), ("{} {}", "", REPLAY_TWO_VALUES_ON_LINE),
    ("null\n{\(sold)}{}\n", "-", REPLAY_TWO_VALUES_ON_LINE), ("null null", "", REPLAY_TWO_VALUES_ON_LINE),
    ("{} \u{c}\n{}", "", REPLAY_TWO_VALUES_ON_LINE), ("{\(sold)}\n{}},\n", "s", REPLAY_TWO_VALUES_ON_LINE),
    ("{\(sold)}\n{\"x\":\n1}\n{}", "s", REPLAY_VALUE_OVER_LINES), ("{\n}\n", "", REPLAY_VALUE_OVER_LINES),
    ("1\n", "", REPLAY_NOT_OBJECT), ("{}\n[{}]\n", "-", REPLAY_NOT_OBJECT), ("{}\nnullx", "-", REPLAY_NOT_OBJECT),
    ("\"\(long)\"", "", REPLAY_NOT_OBJECT),
  ]

  @Test(arguments: [0, 1, 2, 3]) func examples(_ table: Int) {
    let fine: [Example] = [Self.good, Self.backslashes, Self.nested, []][table].map { ($0.text, $0.found, nil) }
    for (text, found, fault) in table == 3 ? Self.bad : fine {
      let masks = found.split(separator: " ").map { who in
        UInt32(who.contains("s") ? 1 : 0) | (who.contains("c") ? 2 : 0) | (who.contains("l") ? 4 : 0) | 8
      }
      // Together, and some of them alone, so that records are passed over.
      for chosen: [Int] in [[0, 1, 2, 3], [0, 1, 2], [0], [1], [2]] {
        let expected = masks.map { mask in
          chosen.enumerated().reduce(UInt32(0)) { $0 | (mask >> UInt32($1.element) & 1) << UInt32($1.offset) }
        }
        let ways = LineExtractor.all(paths: Self.paths, functions: chosen.map { Self.functions[$0] })
        for shift in 0..<64 {
          let bytes = Self.bytes(String(repeating: " ", count: shift) + "\n" + text)
          let runs = ways.map { $0.run(bytes) }
          for (way, run) in runs.enumerated() {
            let what: Comment = "way \(way), functions \(chosen), moved by \(shift): \(text)"
            #expect(run.records.map(\.mask) == expected.filter { $0 > 0 }, what)
            #expect(run.scanned == expected.count && run.fault?.kind == fault, what)
            #expect(fault == nil || run.fault?.ordinal == UInt64(expected.count), what)
            #expect(run == runs[0], what)
          }
        }
      }
    }
  }

  static func bytes(_ text: String) -> [UInt8] {
    text.unicodeScalars.flatMap { $0 == "¿" ? [0xff] : $0 == "¡" ? [0xc3] : Array(String($0).utf8) }
  }

  @Test func boundsAndLengths() {
    let text = Array(
      "{\"n\":0}\n\n{\"n\":1,\(Self.sold)}\nnull\n  {\"n\":3,\(Self.sold)}\n{\"n\":4}\n{\"x\":\"}".utf8)
    let fourth = text.count - "{\"n\":4}\n{\"x\":\"}".utf8.count
    for way in LineExtractor.all(paths: Self.paths, functions: [Self.functions[0], []]) {
      // The bound stands before the record that is damaged.
      let run = way.run(text, from: [12, 13], first: 10, until: 14)
      #expect(run.records.map(\.mark) == [13] && run.records.map(\.mask) == [3] && run.fault == nil)
      #expect(run.records[0].fields == ["2 retail.item.sold", "0 ", "3 3"] && run.records[0].ordinal == 3)
      #expect(run.scanned == 4 && run.below == [2, 3] && run.stoppedAt == fourth)
      #expect(way.run(text, until: 0).stoppedAt == 0 && way.run(text, until: 5).stoppedAt == text.count - 7)
      #expect(way.run(text, until: 6).fault?.kind == REPLAY_UNCLOSED_STRING && way.run(text).fault?.ordinal == 5)
      // As long as may be, and a byte longer.
      let record = "{\"n\":3,\(Self.sold)}".utf8.count
      #expect(way.run(text, until: 5, maxRecordBytes: record).fault == nil)
      let over = way.run(text, until: 5, maxRecordBytes: record - 1)
      #expect(over.fault?.kind == REPLAY_TOO_LONG && over.fault?.ordinal == 1 && over.scanned == 1)
    }
  }

  /// Found by chance, by the property next door.
  @Test func found() {
    let ways = LineExtractor.all(
      paths: Self.paths, functions: [[(0, ["x"])], [(1, [",", #"a"b"#, "}\n{", "a\\b"])], [(1, [Self.long])]])
    for way in ways {
      // A string just behind a number belongs to it: what the function asks for is no JSON.
      #expect(way.run(Array(#"{"type":1"x","n":1,"x":"x"}"#.utf8)).fault?.kind == REPLAY_NOT_JSON)
      // A text is there if its quotes belong to two others, too: so is a record that is looked into for it.
      #expect(way.run(Array(#"{"m":"y","type":tru}"#.utf8)).fault?.kind == REPLAY_NOT_JSON)
      // A text that needs an escape is not there without one, not even over two lines.
      #expect(way.run(Array("{\"n\":\"}\"}\n{\"type\":tru}\n{\"type\":tru,\"m\":\"a\"b\"\"}".utf8)).scanned == 3)
      // A text is not there if some of it lies behind the block.
      #expect(way.run(Array(#"{"type":tru,"m":"y"}"#.utf8), behind: ",\"").fault == nil)
      #expect(way.run(Array(#"{"type":tru,"m":"}"#.utf8), behind: "x\"").fault?.kind == REPLAY_UNCLOSED_STRING)
      // A bound does not hide that a record is over two lines.
      #expect(way.run(Array("{\n}\n{}\n".utf8), until: 1).fault?.kind == REPLAY_VALUE_OVER_LINES)
    }
  }
}
