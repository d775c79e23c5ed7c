import Foundation
import ReplayCore
import ReplayDirectory
import ReplayTesting
import Testing

struct AppenderTests: Sendable {
  let scratch = Scratch()

  func appender(_ rotateBytes: UInt64 = 64 << 20) throws -> DirectoryAppender {
    try DirectoryAppender(scratch.path, options: .init(rotateBytes: rotateBytes, syncs: false))
  }

  @discardableResult
  func append(_ lines: [String], _ id: String = "0", with appender: DirectoryAppender) throws -> [String] {
    for line in lines { try Array(line.utf8).withUnsafeBytes { try appender.add($0, to: id) } }
    return try appender.commit().map(\.description)
  }

  func text(_ id: String, _ name: String) throws -> String {
    try String(contentsOfFile: scratch.file(id, name), encoding: .utf8)
  }

  @Test func receiptsComeInTheOrderOfAdding() throws {
    let appender = try DirectoryAppender(scratch.path + "/new")
    for (id, line) in [("b", "1"), ("a", "2"), ("b", "3")] {
      try Array(line.utf8).withUnsafeBytes { try appender.add($0, to: id) }
    }
    #expect(appender.count == 3 && appender.byteCount == 6)
    #expect(try appender.commit().map(\.description) == ["b:0", "a:0", "b:1"])
    #expect(try appender.commit().isEmpty)
  }

  @Test func filesRotateBeforeTheyAreTooLong() throws {
    let appender = try appender(6)
    #expect(try append(["10", "11", "12", "1234567", "13"], with: appender) == ["0:0", "0:1", "0:2", "0:3", "0:4"])
    let names = try scratch.names("0")
    #expect(names.map { $0.count } == [26, 26, 26, 26])
    #expect(names.map { UInt64($0.dropLast(6)) } == [0, 2, 3, 4])
    #expect(try names.map { try text("0", $0) } == ["10\n11\n", "12\n", "1234567\n", "13\n"])
    #expect(try append(["14"], with: try self.appender(6)) == ["0:5"])
    #expect(try text("0", names[3]) == "13\n14\n")
  }

  @Test func whatACrashLeftOfALineIsCutOff() throws {
    try scratch.write("0\n1\n{\"half", "0", "0.jsonl")
    #expect(try append(["2"], with: try appender()) == ["0:2"])
    #expect(try text("0", "0.jsonl") == "0\n1\n2\n")
  }

  @Test func aReaderOutlivesTheCut() throws {
    try scratch.write("0\n{\"a long half of a line", "0", "0.jsonl")
    let stream = try DirectoryStream(scratch.path)
    try stream.seek([stream.partitions()[0].partition: .zero])
    while try stream.poll(milliseconds: 1) != nil {}
    try append(["1"], with: try appender())
    guard case .messages(let messages)? = try stream.poll(milliseconds: 100) else { throw Unexpected() }
    #expect(Array(messages.bytes) == Array("1".utf8))
  }

  @Test func whatIsNoLineIsRefused() throws {
    let appender = try appender()
    for line in ["", " \r", "1\n2"] { #expect(throws: ReplayError.self) { try append([line], with: appender) } }
    for id in ["", "a/b"] { #expect(throws: ReplayError.self) { try append(["1"], id, with: appender) } }
    #expect(try append(["1"], with: appender) == ["0:0"])
  }

  /// Two appenders that know nothing of each other, small files, and a reader all the while.
  @Test func twoAppendersAtOnceLoseAndDoubleNothing() async throws {
    let each = 2000
    try appender().open("0")
    async let found = Task.detached { try self.follow(until: 2 * each) }.value
    let receipts = try await withThrowingTaskGroup(of: [String].self) { group in
      for writer in 0..<2 {
        group.addTask {
          let appender = try self.appender(500)
          return try (0..<each / 10).flatMap { batch in
            try self.append((0..<10).map { "[\(writer),\(batch * 10 + $0)]" }, with: appender)
          }
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(receipts.count == 2 * each && Set(receipts) == Set((0..<2 * each).map { "0:\($0)" }))
    var next = [0, 0]
    for line in try await found {
      let numbers = line.dropFirst().dropLast().split(separator: ",").compactMap { Int($0) }
      #expect(numbers[1] == next[numbers[0]])
      next[numbers[0]] += 1
    }
    #expect(next == [each, each])
    #expect(try DirectoryStream(scratch.path).partitions().map(\.end) == [Position(UInt64(2 * each))])
  }

  /// Follows partition 0 from its beginning until there were so many events.
  func follow(until count: Int) throws -> [String] {
    let stream = try DirectoryStream(scratch.path)
    try stream.seek([stream.partitions()[0].partition: .zero])
    var lines: [String] = []
    var silent = 0
    while lines.count < count {
      guard case .messages(let messages)? = try stream.poll(milliseconds: 100) else {
        silent += 1
        if silent > 600 { throw Unexpected() }
        continue
      }
      for message in messages.messages {
        #expect(message.position == Position(UInt64(lines.count)))
        lines.append(String(decoding: messages.bytes[message.payload ?? 0..<0], as: UTF8.self))
      }
    }
    return lines
  }

  /// Any program may append, in pieces as they come: a poll after each one, and now and then a new file.
  @Test(arguments: [1, 2, 3] as [UInt64]) func aWriterInPiecesIsFollowed(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    try scratch.write("", "0", "0.jsonl")
    let stream = try DirectoryStream(scratch.path)
    try stream.seek([stream.partitions()[0].partition: .zero])
    var (name, written, found): (String, Int, [String]) = ("0.jsonl", 0, [])
    func poll() throws {
      while let event = try stream.poll(milliseconds: 0) {
        guard case .messages(let messages) = event else { continue }
        for message in messages.messages {
          found.append(String(decoding: messages.bytes[message.payload ?? 0..<0], as: UTF8.self))
        }
      }
    }
    for _ in 0..<60 {
      let lines = (0..<random.number(1...20)).map { "{\"n\":\(written + $0)}\n" }
      written += lines.count
      var text = Substring(lines.joined())
      while !text.isEmpty {
        let piece = text.prefix(random.number(1...60))
        text = text.dropFirst(piece.count)
        try scratch.add(String(piece), "0", name)
        try poll()
      }
      #expect(found.count == written)
      guard random.once(in: 4) else { continue }
      name = "\(written).jsonl"
      try scratch.write("", "0", name)
    }
    #expect(found == (0..<written).map { "{\"n\":\($0)}" }, "seed \(seed)")
  }
}
