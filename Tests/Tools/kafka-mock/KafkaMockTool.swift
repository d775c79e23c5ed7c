import Glibc
import KafkaMock

/// `kafka-mock [BROKERS]`: a Kafka cluster in memory for tests of other processes. Its first line is the bootstrap
/// servers; then each line of standard input is a command, answered by one line, `ok …` or `error …`, when it is done:
///
///     create TOPIC PARTITIONS
///     produce TOPIC PARTITION COUNT         events {"n":0}, {"n":1}, … with keys k0, k1, …
///     line TOPIC PARTITION TEXT             one event, the rest of the line
///     keyed TOPIC PARTITION KEY TEXT        one event with a key
///     tombstone TOPIC PARTITION KEY
///     file TOPIC PARTITION PATH             one event for each line of the file
///     codec none|gzip|snappy|lz4|zstd       of what is produced from now on
///     down BROKER / up BROKER / leader TOPIC PARTITION BROKER / delay BROKER MILLISECONDS
///     fail REQUEST ERROR COUNT              the next requests of that kind (1 Fetch, …) fail with that Kafka error
///     quit                                  as does the end of the input
@main
struct KafkaMockTool {
  private let cluster: MockCluster
  private var producer: MockProducer

  static func main() throws {
    let cluster = try MockCluster(brokers: CommandLine.arguments.dropFirst().first.flatMap { Int32($0) } ?? 1)
    var tool = KafkaMockTool(cluster: cluster, producer: try MockProducer(cluster.bootstraps))
    say(cluster.bootstraps)
    while let line = readLine(), line != "quit" {
      do {
        say("ok \(try tool.run(line))")
      } catch {
        say("error \(error)")
      }
    }
  }

  /// A pipe's reader waits for the line: it goes out at once.
  private static func say(_ line: String) {
    print(line)
    fflush(nil)
  }

  private mutating func run(_ line: String) throws -> String {
    let words = line.split(separator: " ").map(String.init)
    switch words.first {
    case "create": try cluster.create(try word(words, 1), partitions: try number(words, 2))
    case "produce":
      let count = try number(words, 3)
      let messages = (0..<count).map { MockMessage(Array("{\"n\":\($0)}".utf8), key: Array("k\($0)".utf8)) }
      try producer.produce(try word(words, 1), try number(words, 2), messages)
      return "\(count)"
    case "line": try produce(words, MockMessage(Array(try rest(line, after: 3).utf8)))
    case "keyed":
      try produce(words, MockMessage(Array(try rest(line, after: 4).utf8), key: Array(try word(words, 3).utf8)))
    case "tombstone": try produce(words, MockMessage(nil, key: Array(try word(words, 3).utf8)))
    case "file": return try produceFile(words)
    case "codec": producer = try MockProducer(cluster.bootstraps, codec: try word(words, 1))
    case "down": try cluster.down(try number(words, 1))
    case "up": try cluster.up(try number(words, 1))
    case "leader": try cluster.lead(try word(words, 1), try number(words, 2), by: try number(words, 3))
    case "delay": try cluster.delay(try number(words, 1), milliseconds: try number(words, 2))
    case "fail":
      let error = MockCluster.ErrorCode(rawValue: try number(words, 2))
      let count = Int(try number(words, 3))
      cluster.fail(request: Int16(try number(words, 1)), Array(repeating: error, count: count))
    default: throw MockError("no such command")
    }
    return ""
  }

  private func produce(_ words: [String], _ message: MockMessage) throws {
    try producer.produce(try word(words, 1), try number(words, 2), [message])
  }

  private func produceFile(_ words: [String]) throws -> String {
    guard let file = fopen(try word(words, 3), "r") else { throw MockError("no such file") }
    defer { fclose(file) }
    var (line, room, count) = (UnsafeMutablePointer<CChar>?.none, 0, 0)
    defer { free(line) }
    while case let length = getline(&line, &room, file), length >= 0 {
      var bytes = UnsafeRawBufferPointer(start: line, count: length)[...]
      if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
      try producer.add(try word(words, 1), try number(words, 2), MockMessage(Array(bytes)))
      count += 1
    }
    try producer.flush()
    return "\(count)"
  }

  private func word(_ words: [String], _ place: Int) throws -> String {
    guard place < words.count else { throw MockError("word \(place) is missing") }
    return words[place]
  }

  private func number(_ words: [String], _ place: Int) throws -> Int32 {
    guard let number = Int32(try word(words, place)) else { throw MockError("word \(place) is not a number") }
    return number
  }

  private func rest(_ line: String, after count: Int) throws -> String {
    let parts = line.split(separator: " ", maxSplits: count, omittingEmptySubsequences: true)
    guard parts.count > count else { throw MockError("the text is missing") }
    return String(parts[count])
  }
}
