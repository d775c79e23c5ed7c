import ReplayCore

/// An event as CloudEvents 1.0 has it: its attributes, and its data as bytes.
struct CloudEvent {
  /// But for `datacontenttype`. Names are lower-case letters and digits.
  var attributes: [(name: String, value: String)]
  var contentType: String?
  var data: [UInt8]

  subscript(name: String) -> String? { attributes.first { $0.name == name }?.value }

  /// A payload that is a CloudEvent in its JSON form: nil where it is not one. An extension that is an object or an array is
  /// left out, since CloudEvents has no such attributes.
  init?(_ payload: UnsafeRawBufferPointer) {
    guard let members = JSONReader.members(of: payload) else { return nil }
    func first(_ name: String) -> JSONReader.Member? { members.first { $0.name == name } }
    guard first("specversion")?.value.string == "1.0",
      ["id", "source", "type"].allSatisfy({ first($0)?.value.string?.isEmpty == false })
    else { return nil }
    contentType = first("datacontenttype")?.value.string.flatMap { $0.isEmpty ? nil : $0 }
    (attributes, data) = ([], [])
    for member in members where !["data", "data_base64", "datacontenttype"].contains(member.name) {
      guard CloudEvent.isName(member.name), self[member.name] == nil, let value = CloudEvent.scalar(member.value) else {
        continue
      }
      attributes.append((member.name, value))
    }
    if let encoded = first("data_base64")?.value, !encoded.isNull {
      guard let decoded = encoded.string.flatMap(Base64.decode) else { return nil }
      data = decoded
    } else if let value = first("data"), !value.value.isNull {
      if !CloudEvent.isJSON(contentType), let text = value.value.string {
        data = Array(text.utf8)
      } else {
        data = Array(payload[value.bytes])
        contentType = contentType ?? "application/json"
      }
    }
  }

  /// What any other payload is sent as. The same event has the same id in every delivery.
  init(_ payload: Text, at place: EventPlace, key: Text, type: String?, time: Timestamp?) {
    attributes = [
      ("specversion", "1.0"), ("id", "\(place.partition.name):\(place.position)"),
      ("source", "/replay/" + HeaderText.encoded(place.partition.log)), ("type", type ?? "replay.event"),
    ]
    if let time { attributes.append(("time", time.description)) }
    attributes.append(("partitionkey", String(key)))
    data = Array(payload.bytes)
    let isJSON = (try? JSONReader.read(payload.bytes)) != nil
    contentType = data.isEmpty ? nil : isJSON ? "application/json" : "application/octet-stream"
  }

  private static func isName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.allSatisfy { $0 >= 0x61 && $0 <= 0x7a || $0 >= 0x30 && $0 <= 0x39 }
  }

  private static func scalar(_ value: JSONValue) -> String? {
    switch value {
    case .string(let text): text.isEmpty ? nil : text
    case .number(let text): text
    case .boolean(let value): "\(value)"
    case .null, .array, .object: nil
    }
  }

  /// Whether data of this type is a JSON value: where nothing is said, it is.
  static func isJSON(_ contentType: String?) -> Bool {
    guard let contentType else { return true }
    let media = contentType.prefix { $0 != ";" && $0 != " " }.lowercased()
    return media.hasSuffix("/json") || media.hasSuffix("+json")
  }

  // MARK: Forms

  /// Its headers in the binary form, one line each.
  var headers: [String] {
    attributes.map { "ce-\($0.name): \(HeaderText.encoded($0.value))" }
      + [contentType.map { "Content-Type: \(HeaderText.printable($0))" } ?? CloudEvent.noContentType]
  }

  /// For libcurl: that it is to send none, where it would send one of its own.
  static let noContentType = "Content-Type:"

  /// The structured form.
  var json: [UInt8] {
    var writer = JSONWriter()
    writer.raw("{")
    for (place, attribute) in attributes.enumerated() {
      writer.raw(place == 0 ? "\"\(attribute.name)\":" : ",\"\(attribute.name)\":")
      writer.string(attribute.value)
    }
    if let contentType {
      writer.raw(",\"datacontenttype\":")
      writer.string(contentType)
    }
    if !data.isEmpty {
      writer.raw(CloudEvent.isJSON(contentType) ? ",\"data\":" : ",\"data_base64\":")
      if CloudEvent.isJSON(contentType) {
        writer.raw(data)
      } else {
        data.withUnsafeBytes { writer.base64(Text($0)) }
      }
    }
    writer.raw("}")
    return writer.bytes
  }
}
