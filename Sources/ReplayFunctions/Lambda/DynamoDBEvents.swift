import ReplayCore

/// DynamoDB Streams: for archives of change records (`{"eventName": "MODIFY", "dynamodb": {"Keys": …, "NewImage": …}}`), as
/// Kinesis Data Streams for DynamoDB writes them.
struct DynamoDBEvents: ShapedEvents {
  var origin = EventOrigin()
  let change: JSONField
  let name: TextField

  /// Throws where the payload is no change record.
  func record(_ event: Event, key: Text, payload: Text, tail: [UInt8]) throws -> [UInt8] {
    let place = event.place
    let number = place.sequenceNumber
    let name = try event[name]
    guard let change = event[change], change.count > 1, change[0] == UInt8(ascii: "{"),
      let members = (try? JSONReader.read(change.bytes))?.members
    else {
      throw EventFault(place: place, reasons: ["field dynamodb: expected the change of an item, found none"])
    }
    var writer = JSONWriter()
    writer.raw("{\"eventID\":")
    writer.string("\(place.shard):\(number)")
    writer.raw(",\"eventName\":")
    writer.string(name)
    writer.raw(",\"eventVersion\":\"1.1\",\"eventSource\":\"aws:dynamodb\",\"awsRegion\":")
    writer.string(origin.region)
    // The change is handed on as it was archived; what a stream adds to it comes behind.
    writer.raw(",\"dynamodb\":")
    writer.raw(change.bytes.dropLast())
    var needsComma = !members.isEmpty
    func add(_ member: String, _ value: String) {
      if members.contains(where: { $0.name == member }) { return }
      writer.raw((needsComma ? "," : "") + "\"\(member)\":\(value)")
      needsComma = true
    }
    add("SequenceNumber", "\"\(number)\"")
    add("SizeBytes", "\(change.count)")
    add("StreamViewType", "\"NEW_AND_OLD_IMAGES\"")
    writer.raw("},\"eventSourceARN\":")
    writer.string(sourceARN(place.partition.log))
    writer.raw("}")
    return writer.bytes
  }

  /// `ApproximateCreationDateTime`, in whichever unit it was archived: seconds in DynamoDB's own streams, milliseconds or
  /// microseconds in Kinesis Data Streams.
  func time(of event: Event) -> Timestamp? {
    guard let change = event[change],
      case .number(let text)? = (try? JSONReader.read(change.bytes))?[DynamoDBEvents.created],
      let number = Double(text), number >= 0, number < 1e17
    else { return nil }
    let unit = number < 1e11 ? 1e6 : number < 1e14 ? 1e3 : 1
    return Timestamp(microseconds: Int64((number * unit).rounded()))
  }

  private static let created = "ApproximateCreationDateTime"

  func sourceARN(_ log: String) -> String {
    origin.arn("dynamodb", "table/\(log)/stream/1970-01-01T00:00:00.000")
  }

  func batch(_ events: [HeldEvent]) -> [UInt8] { Self.list(events) }

  /// A record is named by the number that it carries, which may be the one of its own stream.
  func place(of identifier: JSONValue, in events: [HeldEvent]) -> Int? {
    guard let wanted = identifier.string, !wanted.isEmpty else { return nil }
    return events.firstIndex { event in
      let record = try? event.encoded.withUnsafeBytes { try JSONReader.read($0) }
      return record?["dynamodb"]?["SequenceNumber"]?.string == wanted
    }
  }
}
