import ReplayCore

/// The form of the events that a Lambda handler expects: that of the AWS service which would call it. Exact to the field,
/// as its developer guide shows it.
public enum EventShape: String, Sendable, CaseIterable {
  case kinesis, kafka, dynamodb, sqs
}

/// Makes a batch of one shape, record by record, and finds a record by the identifier that a handler names.
protocol ShapedEvents: Sendable {
  /// The stream, queue, table or cluster that the records of one topic come from.
  func sourceARN(_ log: String) -> String
  /// What the records of one topic end with.
  func tail(_ log: String) -> [UInt8]
  /// One record of the batch, without what stands between records.
  func record(_ event: Event, key: Text, payload: Text, tail: [UInt8]) throws -> [UInt8]
  /// What stands for the record's time of arrival; nil where the event has none that can be read.
  func time(of event: Event) -> Timestamp?
  /// The batch of records that `record` made.
  func batch(_ events: [HeldEvent]) -> [UInt8]
  /// The place in the batch of the record that `itemIdentifier` names; nil where it names none.
  func place(of identifier: JSONValue, in events: [HeldEvent]) -> Int?
}

extension ShapedEvents {
  func tail(_ log: String) -> [UInt8] { [] }

  /// The whole event of a call.
  func body(_ delivery: Delivery) -> [UInt8] {
    let batch = batch(delivery.events)
    guard let window = delivery.window else { return batch }
    var writer = JSONWriter()
    writer.raw(batch.dropLast())
    writer.raw(",")
    writer.raw(window.members(sourceARN(window.partition.log)))
    writer.raw("}")
    return writer.bytes
  }
}

/// The tail of the topic that was asked for last: nearly always the only one.
struct RecordTail {
  private var log: String?
  private var bytes: [UInt8] = []

  mutating func bytes(_ topic: String, of shape: some ShapedEvents) -> [UInt8] {
    if log != topic { (log, bytes) = (topic, shape.tail(topic)) }
    return bytes
  }
}

/// Names that an event carries of where it comes from. Nothing in AWS need have them.
struct EventOrigin: Sendable {
  var region = "us-east-1"
  var account = "000000000000"
  /// The stream, queue or table; where nil, the event's own log.
  var arn: String?

  func arn(_ service: String, _ resource: String) -> String {
    arn ?? "arn:aws:\(service):\(region):\(account):\(resource)"
  }
}

extension Position {
  /// As decimal digits whose numbers rise with the positions of one partition: a sequence number. A place in a file is the
  /// file's number and twenty digits behind it.
  func sequenceNumber(in segment: Segment) -> String {
    var isPlace = index > 0
    if case .place = segment.numbering { isPlace = true }
    guard isPlace else { return "\(number)" }
    let digits = "\(index)"
    return "\(number)" + String(repeating: "0", count: 20 - digits.count) + digits
  }
}

extension EventPlace {
  var sequenceNumber: String { position.sequenceNumber(in: segment) }
  var shard: String { partition.shard }
}

extension Partition {
  /// `shardId-000000000006`; of a partition whose name is no number, the name.
  var shard: String {
    guard name.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), name.utf8.count < 12 else { return "shardId-\(name)" }
    return "shardId-" + String(repeating: "0", count: 12 - name.utf8.count) + name
  }
}

/// A list in `Records`, whose records are named by `sequenceNumber` (Kinesis, DynamoDB).
extension ShapedEvents {
  static func list(_ events: [HeldEvent]) -> [UInt8] {
    var writer = JSONWriter()
    writer.raw("{\"Records\":[")
    for (place, event) in events.enumerated() {
      if place > 0 { writer.raw(",") }
      writer.raw(event.encoded)
    }
    writer.raw("]}")
    return writer.bytes
  }

  static func place(ofSequenceNumber identifier: JSONValue, in events: [HeldEvent]) -> Int? {
    guard let wanted = identifier.string else { return nil }
    return events.firstIndex { $0.place.sequenceNumber == wanted }
  }
}

/// Amazon Kinesis Data Streams.
struct KinesisEvents: ShapedEvents {
  var origin = EventOrigin()
  let time: TimeField

  func tail(_ log: String) -> [UInt8] {
    var writer = JSONWriter()
    writer.raw("\",\"eventName\":\"aws:kinesis:record\",\"invokeIdentityArn\":\"")
    writer.raw("arn:aws:iam::\(origin.account):role/replay")
    writer.raw("\",\"awsRegion\":\"")
    writer.raw(origin.region)
    writer.raw("\",\"eventSourceARN\":")
    writer.string(sourceARN(log))
    writer.raw("}")
    return writer.bytes
  }

  func sourceARN(_ log: String) -> String { origin.arn("kinesis", "stream/\(log)") }

  func record(_ event: Event, key: Text, payload: Text, tail: [UInt8]) -> [UInt8] {
    let place = event.place
    let number = place.sequenceNumber
    var writer = JSONWriter()
    writer.reserve(payload.count * 4 / 3 + key.count + tail.count + 320)
    writer.raw("{\"kinesis\":{\"kinesisSchemaVersion\":\"1.0\",\"partitionKey\":")
    writer.string(key)
    writer.raw(",\"sequenceNumber\":\"")
    writer.raw(number)
    writer.raw("\",\"data\":")
    writer.base64(payload)
    writer.raw(",\"approximateArrivalTimestamp\":")
    writer.raw(seconds(event.moment(time)))
    writer.raw("},\"eventSource\":\"aws:kinesis\",\"eventVersion\":\"1.0\",\"eventID\":\"")
    writer.raw(place.shard)
    writer.raw(":")
    writer.raw(number)
    writer.raw(tail)
    return writer.bytes
  }

  func time(of event: Event) -> Timestamp? { event.time(time) }

  func batch(_ events: [HeldEvent]) -> [UInt8] { Self.list(events) }

  func place(of identifier: JSONValue, in events: [HeldEvent]) -> Int? {
    Self.place(ofSequenceNumber: identifier, in: events)
  }
}

extension Event {
  /// The event's own time, where it has one that can be read.
  func time(_ field: TimeField) -> Timestamp? { (try? self[ifPresent: field]) ?? nil }

  /// The same, or 1970: what stands for a time of arrival, which no archive keeps.
  func moment(_ field: TimeField) -> Timestamp { time(field) ?? Timestamp(microseconds: 0) }
}

/// Seconds since 1970 with three digits behind the point.
func seconds(_ time: Timestamp) -> String {
  let milliseconds = max(0, time.microseconds / 1000)
  let fraction = "\(milliseconds % 1000)"
  return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
}
