import ReplayCore

/// Amazon SQS, a FIFO queue whose message group is the partition key.
struct QueueEvents: ShapedEvents {
  var origin = EventOrigin()
  let time: TimeField

  func record(_ event: Event, key: Text, payload: Text, tail: [UInt8]) -> [UInt8] {
    let place = event.place
    let milliseconds = max(0, event.moment(time).microseconds / 1000)
    var writer = JSONWriter()
    writer.raw("{\"messageId\":")
    writer.string(QueueEvents.messageID(place))
    writer.raw(",\"receiptHandle\":")
    writer.string("\(place.partition.description):\(place.sequenceNumber)")
    writer.raw(",\"body\":")
    writer.string(payload)
    writer.raw(
      ",\"attributes\":{\"ApproximateReceiveCount\":\"1\",\"SentTimestamp\":\"\(milliseconds)\",\"SequenceNumber\":")
    writer.string(place.sequenceNumber)
    writer.raw(",\"MessageGroupId\":")
    writer.string(key)
    writer.raw(",\"SenderId\":\"replay\",\"MessageDeduplicationId\":")
    writer.string(QueueEvents.messageID(place))
    writer.raw(",\"ApproximateFirstReceiveTimestamp\":\"\(milliseconds)\"},\"messageAttributes\":{},\"md5OfBody\":\"")
    writer.raw(MD5.hex(payload.bytes))
    writer.raw("\",\"eventSource\":\"aws:sqs\",\"eventSourceARN\":")
    writer.string(sourceARN(place.partition.log))
    writer.raw(",\"awsRegion\":")
    writer.string(origin.region)
    writer.raw("}")
    return writer.bytes
  }

  /// In the form of a UUID: the same for the same event, another one for every other.
  static func messageID(_ place: EventPlace) -> String {
    let digest = Array(MD5.hex(Array("\(place.partition):\(place.sequenceNumber)".utf8).withUnsafeBytes { Array($0) }))
    func part(_ range: Range<Int>) -> String { String(digest[range]) }
    return [part(0..<8), part(8..<12), "3" + part(13..<16), "8" + part(17..<20), part(20..<32)].joined(separator: "-")
  }

  func time(of event: Event) -> Timestamp? { event.time(time) }

  func sourceARN(_ log: String) -> String { origin.arn("sqs", "\(log).fifo") }

  func batch(_ events: [HeldEvent]) -> [UInt8] { Self.list(events) }

  func place(of identifier: JSONValue, in events: [HeldEvent]) -> Int? {
    guard let wanted = identifier.string else { return nil }
    return events.firstIndex { QueueEvents.messageID($0.place) == wanted }
  }
}
