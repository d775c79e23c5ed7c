import CDecode
import Foundation
import ReplayTesting
import Testing

/// Random lines: the fast way, by every kernel, and the careful one answer the same; what JSON is, Foundation says.
@Suite struct LinesPropertyTests {
  static let paths = ["a", "b", "a.a", "c", "long name of a member", "b.ä", "b.a.c"]
  private static let seeds: [UInt64] = [1, 2, 3, 4, 5, 6]

  /// Each function wants everything, or has one or two conditions.
  private static func functions(_ random: inout SplitMix64) -> LineExtractor.Conditions {
    (0..<random.number(1...4)).map { _ in
      (0..<(random.once(in: 5) ? 0 : random.number(1...2))).map { _ in
        (
          random.number(0...paths.count - 1),
          (0..<random.number(1...(random.once(in: 9) ? 10 : 3))).map { _ in
            random.one(of: JSONWriter.texts + [",", ":", "}\n{", "null"])
          }
        )
      }
    }
  }

  @Test(arguments: seeds) func asFoundationParses(_ seed: UInt64) throws {
    print("lines by Foundation, seed: \(seed)")
    var writer = JSONWriter(random: SplitMix64(seed: seed))
    for _ in 0..<12 {
      let functions = Self.functions(&writer.random)
      let ways = LineExtractor.all(paths: Self.paths, functions: functions)
      for _ in 0..<3 {
        let records = (0..<writer.random.number(1...60)).map { _ in writer.object(depth: 0) }
        let from = functions.map { _ in UInt64(writer.random.number(0...3)) }
        let expected = try records.enumerated().map { ordinal, record in
          let parsed = try JSONSerialization.jsonObject(with: Data(record.utf8))
          return functions.enumerated().reduce(UInt32(0)) { mask, function in
            let isWanted =
              ordinal >= from[function.offset]
              && function.element.allSatisfy { field, values in
                let found = Self.paths[field].split(separator: ".").reduce(parsed as Any?) {
                  ($0 as? [String: Any])?[String($1)]
                }
                return values.contains { Array($0.utf8) == (found as? String).map { Array($0.utf8) } }
              }
            return mask | (isWanted ? 1 << UInt32(function.offset) : 0)
          }
        }
        let bytes = Array(lines(records).utf8)
        let runs = ways.map { $0.run(bytes, from: from, behind: writer.random.one(of: ["\"", "x", ",\"}\n"])) }
        for (way, run) in runs.enumerated() {
          let what: Comment = "seed \(seed), way \(way), \(functions): \(lines(records))"
          #expect(run.fault == nil && run.scanned == records.count && run == runs[0], what)
          #expect(run.records.map(\.mask) == expected.filter { $0 > 0 }, what)
          #expect(run.records.map(\.raw) == zip(records, expected).filter { $0.1 > 0 }.map(\.0), what)
        }
      }
    }
  }

  /// Whole lines, odd ones, and damage: whatever it is, all ways say the same of it, and so do pieces of it.
  @Test(arguments: seeds) func damaged(_ seed: UInt64) {
    print("damaged lines, seed: \(seed)")
    var writer = JSONWriter(random: SplitMix64(seed: seed << 8))
    for _ in 0..<60 {
      let functions = Self.functions(&writer.random)
      let ways = LineExtractor.all(paths: Self.paths, functions: functions)
      for _ in 0..<10 {
        var bytes = Self.text(&writer)
        for _ in 0..<writer.random.number(0...2) { Self.damage(&bytes, &writer.random) }
        let from = functions.map { _ in UInt64(writer.random.number(0...4)) }
        let until = writer.random.once(in: 2) ? UInt64.max : UInt64(writer.random.number(0...8))
        let maxRecordBytes = writer.random.once(in: 6) ? writer.random.number(2...300) : 1 << 20
        let runs = ways.map {
          $0.run(
            bytes, from: from, until: until, maxRecordBytes: maxRecordBytes,
            behind: writer.random.one(of: ["\"", "x", ",\"}\n", "\\", "\u{1}"]))
        }
        let what: Comment = "seed \(seed), \(functions), until \(until): \(String(decoding: bytes, as: UTF8.self))"
        for (way, run) in runs.enumerated() { #expect(run == runs[0], "way \(way), \(what)") }

        // In pieces, each by some way: the same records, and the same one at fault.
        let whole = runs[0]
        var (records, scanned): ([LineRun.Record], Int) = ([], 0)
        var (stoppedAt, failed, start): (Int?, UInt64?, Int) = (nil, nil, 0)
        while start < bytes.count, stoppedAt == nil, failed == nil {
          var end = start
          repeat {
            end = bytes[end...].firstIndex(of: 10).map { $0 + 1 } ?? bytes.count
          } while end < bytes.count
            && !writer.random.once(in: 3)
          let run = writer.random.one(of: ways).run(
            bytes[start..<end], from: from, first: UInt64(scanned), until: until, maxRecordBytes: maxRecordBytes)
          records += run.records
          scanned += run.scanned
          stoppedAt = run.stoppedAt.map { $0 + start }
          failed = run.fault?.ordinal
          start = end
        }
        #expect(
          records.map(\.raw) == whole.records.map(\.raw) && records.map(\.mask) == whole.records.map(\.mask), what)
        #expect(records.map(\.mark) == whole.records.map(\.mark), what)
        #expect(records.map(\.fields) == whole.records.map(\.fields), what)
        #expect(stoppedAt == whole.stoppedAt && failed == whole.fault?.ordinal && scanned == whole.scanned, what)
      }
    }
  }

  private static let odd = [
    "null", " null\r", "", " \t", "nullx", "1", "[]", "{} {}", "{\"a\":", "}", "{\"a\":1\"x\",\"c\":\"x\"}",
    "{\"a\":tru}",
    "{\"a\":\\\"x\"}", "{\"x\":[\(String(repeating: "{\"a\":[", count: 40))",
    "{\"x\":\(String(repeating: "[", count: 66))\(String(repeating: "]", count: 66)),\"a\":\"x\"}",
    "{\"x\":\"\(String(repeating: "\\", count: 127))\",\"a\":\"x\"}",
  ]

  private static func text(_ writer: inout JSONWriter) -> [UInt8] {
    var text = ""
    for _ in 0..<writer.random.number(0...12) {
      text += writer.random.once(in: 9) ? writer.random.one(of: odd) : writer.object(depth: 0)
      text += writer.random.once(in: 20) ? "" : writer.random.one(of: ["\n", "\n", "\n", "\r\n"])
    }
    return Array(text.utf8)
  }

  /// One flip, deletion, insertion or cut.
  private static func damage(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
    guard !bytes.isEmpty else { return }
    let place = random.number(0...bytes.count - 1)
    switch random.number(0...4) {
    case 0: bytes[place] ^= 1 << UInt8(random.number(0...7))
    case 1: bytes.removeSubrange(place..<min(bytes.count, place + random.number(1...3)))
    case 2: bytes.insert(random.one(of: Array("{}[]\",:\\ \n\r\t\0\u{1}\u{c}\u{1a}\u{7f}aYy_n0-1".utf8)), at: place)
    case 3: bytes.insert(UInt8(random.number(128...255)), at: place)
    default: bytes.removeSubrange(place...)
    }
  }
}
