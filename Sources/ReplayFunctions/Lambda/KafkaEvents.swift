import ReplayCore

/// Amazon MSK and other Kafka clusters: records by `topic-partition`.
struct KafkaEvents: ShapedEvents {
  var origin = EventOrigin()
  let time: TimeField
  let headers: JSONField

  func record(_ event: Event, key: Text, payload: Text, tail: [UInt8]) -> [UInt8] {
    let place = event.place
    var writer = JSONWriter()
    writer.raw("{\"topic\":")
    writer.string(place.partition.log)
    writer.raw(",\"partition\":\(KafkaEvents.number(place)),\"offset\":\(place.sequenceNumber),\"timestamp\":")
    writer.raw("\(max(0, event.moment(time).microseconds / 1000)),\"timestampType\":\"CREATE_TIME\",\"key\":")
    writer.base64(key)
    writer.raw(",\"value\":")
    if payload.count == 0 { writer.raw("null") } else { writer.base64(payload) }
    writer.raw(",\"headers\":[")
    for (index, header) in KafkaEvents.headers(event[headers]).enumerated() {
      if index > 0 { writer.raw(",") }
      writer.raw("{")
      writer.string(header.name)
      // Bytes as Java has them: -128 to 127.
      let bytes = header.value.utf8.map { "\(Int8(bitPattern: $0))" }.joined(separator: ",")
      writer.raw(":[\(bytes)]}")
    }
    writer.raw("]}")
    return writer.bytes
  }

  /// The partition's number; 0 where it has none.
  private static func number(_ place: EventPlace) -> UInt64 { UInt64(place.partition.name) ?? 0 }

  private static func group(_ place: EventPlace) -> String { "\(place.partition.log)-\(number(place))" }

  /// `[{"key": …, "value": …}]`, or an object.
  private static func headers(_ text: Text?) -> [(name: String, value: String)] {
    guard let text, let value = try? JSONReader.read(text.bytes) else { return [] }
    if let members = value.members { return members.map { ($0.name, $0.value.string ?? $0.value.text) } }
    return (value.array ?? []).compactMap { header in
      guard let name = header["key"]?.string else { return nil }
      return (name, header["value"].map { $0.string ?? $0.text } ?? "")
    }
  }

  func time(of event: Event) -> Timestamp? { event.time(time) }

  /// A cluster has many topics.
  func sourceARN(_ log: String) -> String {
    origin.arn("kafka", "cluster/replay/00000000-0000-0000-0000-000000000000-0")
  }

  func batch(_ events: [HeldEvent]) -> [UInt8] {
    var writer = JSONWriter()
    writer.raw("{\"eventSource\":\"aws:kafka\",\"eventSourceArn\":")
    writer.string(sourceARN(""))
    writer.raw(",\"bootstrapServers\":\"\",\"records\":{")
    var groups: [(name: String, events: [HeldEvent])] = []
    for event in events {
      let name = KafkaEvents.group(event.place)
      if let place = groups.firstIndex(where: { $0.name == name }) {
        groups[place].events.append(event)
      } else {
        groups.append((name, [event]))
      }
    }
    for (index, group) in groups.enumerated() {
      if index > 0 { writer.raw(",") }
      writer.string(group.name)
      writer.raw(":[")
      for (place, event) in group.events.enumerated() {
        if place > 0 { writer.raw(",") }
        writer.raw(event.encoded)
      }
      writer.raw("]")
    }
    writer.raw("}}")
    return writer.bytes
  }

  /// `{"partition": "topic-0", "offset": 30}`
  func place(of identifier: JSONValue, in events: [HeldEvent]) -> Int? {
    guard let partition = identifier["partition"]?.string, case .number(let offset)? = identifier["offset"] else {
      return nil
    }
    return events.firstIndex { KafkaEvents.group($0.place) == partition && $0.place.sequenceNumber == offset }
  }
}
