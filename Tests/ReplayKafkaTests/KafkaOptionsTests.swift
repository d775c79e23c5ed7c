import Foundation
import ReplayCore
import ReplayKafka
import Synchronization
import Testing

struct KafkaOptionsTests {
  static let address = KafkaAddress(brokers: ["127.0.0.1:1"], topic: "events")

  private func stream(
    _ options: [(String, String)], log: (@Sendable (Int32, String) -> Void)? = nil
  ) throws -> KafkaStream {
    var limits = KafkaLimits()
    limits.answer = .milliseconds(500)
    return try KafkaStream(KafkaOptionsTests.address, options: options, limits: limits, log: log)
  }

  /// F17: a client library that commits positions by itself, or begins elsewhere than it was told.
  @Test(arguments: [
    "auto.offset.reset", "enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store", "enable.partition.eof",
    "isolation.level", "check.crcs", "allow.auto.create.topics", "group.id", "group.instance.id", "bootstrap.servers",
    "metadata.broker.list", "log.queue", "test.mock.num.brokers",
  ]) func f17WhatTheContractNeedsCannotBeSet(key: String) throws {
    let error = try #require(throws: ReplayError.self) { try stream([(key, "earliest")]) }
    #expect(error.code == .usage)
    #expect(error.summary.hasPrefix("the Kafka option \(key) cannot be set: "))
    #expect(error.next == "leave out -X \(key)=…")
  }

  @Test func librdkafkasOwnOptionsArePassedThrough() throws {
    _ = try stream([
      ("fetch.wait.max.ms", "10"), ("client.id", "me"), ("security.protocol", "sasl_ssl"), ("sasl.mechanism", "PLAIN"),
      ("sasl.username", "me"), ("sasl.password", "x"), ("enable.ssl.certificate.verification", "true"),
    ])
    let unknown = try #require(throws: ReplayError.self) { try stream([("fetch.wait", "10")]) }
    #expect(unknown.code == .usage)
    #expect(unknown.summary.contains("fetch.wait"))
    let wrong = try #require(throws: ReplayError.self) { try stream([("fetch.wait.max.ms", "soon")]) }
    #expect(wrong.summary.contains("fetch.wait.max.ms"))
  }

  @Test(arguments: ["ssl.key.pem", "ssl.key.password", "sasl.oauthbearer.client.secret", "ssl.keystore.password"])
  func aSecretIsInNoError(key: String) throws {
    do {
      let stream = try stream([("security.protocol", "ssl"), (key, "hunter2")])
      #expect(!stream.name.contains("hunter2"))
      let error = try #require(throws: ReplayError.self) { try stream.partitions() }
      #expect(!error.description.contains("hunter2"), "\(error)")
    } catch let error as ReplayError {
      #expect(!error.description.contains("hunter2"), "\(error)")
    }
  }

  @Test func aSecretIsInNoLogLine() throws {
    let lines = Mutex("")
    let options = [
      ("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "PLAIN"), ("sasl.username", "me"),
      ("sasl.password", "hunter2"), ("debug", "all"),
    ]
    let stream = try stream(options) { _, line in lines.withLock { $0 += line + "\n" } }
    let error = try #require(throws: ReplayError.self) { try stream.partitions() }
    #expect(!error.description.contains("hunter2"))
    stream.close()
    #expect(lines.withLock { $0.contains("sasl") })
    #expect(!lines.withLock { $0.contains("hunter2") })
  }

  @Test func aValueMayLieInAFileOrAVariable() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "replay-secret-\(getpid())")
    try "not-a-protocol\n".write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    // A value that librdkafka refuses shows that it was read: and even then it is not repeated.
    let fromFile = try #require(throws: ReplayError.self) { try stream([("security.protocol", "@file:\(file.path)")]) }
    #expect(fromFile.summary.contains("security.protocol"))
    #expect(!fromFile.description.contains("not-a-protocol"))
    setenv("REPLAY_KAFKA_TEST", "zstd-or-so", 1)
    let fromVariable = try #require(throws: ReplayError.self) {
      try stream([("security.protocol", "@env:REPLAY_KAFKA_TEST")])
    }
    #expect(!fromVariable.description.contains("zstd-or-so"))
    setenv("REPLAY_KAFKA_TEST", "ssl", 1)
    _ = try stream([("security.protocol", "@env:REPLAY_KAFKA_TEST")])
    let noFile = try #require(throws: ReplayError.self) { try stream([("sasl.password", "@file:/nowhere/at/all")]) }
    #expect(noFile.code == .missing && noFile.summary.contains("/nowhere/at/all"))
    let noVariable = try #require(throws: ReplayError.self) { try stream([("sasl.password", "@env:REPLAY_NOT_SET")]) }
    #expect(noVariable.code == .missing && noVariable.summary.contains("REPLAY_NOT_SET"))
  }
}
