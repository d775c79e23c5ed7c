/// Where a value is inside a JSON record: member names from the outside in. Array elements have no path.
public struct JSONPath: Hashable, Sendable {
  public let members: [String]

  public init(members: [String]) { self.members = members }

  /// Reads `data.customer`; a backslash makes the next character part of a name (`a\.b`).
  public init(_ text: String) {
    var members: [String] = []
    var name = ""
    var escaped = false
    for character in text {
      if escaped {
        name.append(character)
        escaped = false
      } else if character == "\\" {
        escaped = true
      } else if character == "." {
        members.append(name)
        name = ""
      } else {
        name.append(character)
      }
    }
    members.append(name)
    self.members = members
  }

  public func appending(_ path: JSONPath) -> JSONPath { JSONPath(members: members + path.members) }
}

extension JSONPath: CustomStringConvertible {
  public var description: String { members.joined(separator: ".") }
}

/// How records follow one another in a segment's decompressed bytes.
public enum Framing: String, Sendable, Hashable, CaseIterable {
  /// One JSON value a line; LF or CRLF; blank lines are no records; the last newline may be missing.
  case lines = "json-lines"
  /// JSON values one after another, with or without white space between them (the default of Amazon Data Firehose).
  case concatenated = "json-concat"
  /// One JSON array; its elements are the records.
  case array = "json-array"
}

/// How the payload is written inside its record.
public enum PayloadEncoding: String, Sendable, Hashable {
  case json
  /// A JSON string of hexadecimal digits that are the payload's bytes (Nordstrom's cassettes).
  case hex
}

/// Where the parts of an event are in a record. Paths are absolute: they begin at the record, not at the payload.
public struct Anatomy: Sendable, Hashable {
  public var payload: JSONPath?
  public var payloadEncoding: PayloadEncoding
  public var key: JSONPath
  public var type: JSONPath
  public var time: JSONPath
  public var id: JSONPath
  /// The stream's headers of the record; nil where the layout has none, or in a file of their own.
  public var headers: JSONPath?
  /// The record's own number, where it carries one.
  public var position: JSONPath?
  /// The partition that the record says it is of, where it carries one: it must be that of the file's name.
  public var partition: JSONPath?

  /// CloudEvents 1.0 without an envelope, unless told otherwise.
  public init(
    payload: JSONPath? = nil, payloadEncoding: PayloadEncoding = .json, key: JSONPath = JSONPath("partitionkey"),
    type: JSONPath = JSONPath("type"), time: JSONPath = JSONPath("time"), id: JSONPath = JSONPath("id"),
    headers: JSONPath? = nil, position: JSONPath? = nil, partition: JSONPath? = nil
  ) {
    self.payload = payload
    self.payloadEncoding = payloadEncoding
    self.key = key
    self.type = type
    self.time = time
    self.id = id
    self.headers = headers
    self.position = position
    self.partition = partition
  }

  /// The path of what no record has.
  private static let nowhere = JSONPath(members: [])

  /// The absolute path of a function's field.
  public func absolute(_ field: FieldSource) -> JSONPath {
    switch field {
    case .key: key
    case .type: type
    case .time: time
    case .id: id
    case .headers: headers ?? Anatomy.nowhere
    case .payload(let path): payload.map { $0.appending(path) } ?? path
    }
  }
}
