import ReplayArchive
import ReplayCore

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Where the parts of an event are: all that a function which is live still needs of its archive. The store keeps it, so
/// that the archive may be gone.
struct EventLayout {
  let anatomy: Anatomy
  /// The archive kept keys in files of their own: live, they are the messages' own.
  let usesKeysFiles: Bool
  /// False where no record was seen that could tell.
  let isSeen: Bool

  init(_ archive: OpenedArchive) {
    anatomy = archive.plan.anatomy
    usesKeysFiles = archive.layout.usesKeysFiles
    isSeen = archive.seenAnatomy != nil
  }

  /// For a store's identity of a function. `filter` nil: the one that the store has.
  func identity(_ projection: any Projection, _ filter: FilterStatement? = nil) -> FunctionIdentity {
    FunctionIdentity(projection, anatomy: isSeen ? anatomy : nil, layout: isSeen ? text : "", filter: filter)
  }
}

/// As a store keeps it: one JSON object.
extension EventLayout {
  private static let format = 1

  private struct Kept: Decodable {
    let format: Int
    let payload: String?
    let encoding, key, type, time, id: String
    let headers, position: String?
    let keysFiles: Bool

    private enum CodingKeys: String, CodingKey {
      case format, payload, encoding, key, type, time, id, headers, position
      case keysFiles = "keys_files"
    }
  }

  var text: String {
    JSONText.object([
      ("format", .number(EventLayout.format)), ("payload", .optional(anatomy.payload?.argument)),
      ("encoding", .string(anatomy.payloadEncoding.rawValue)), ("key", .string(anatomy.key.argument)),
      ("type", .string(anatomy.type.argument)), ("time", .string(anatomy.time.argument)),
      ("id", .string(anatomy.id.argument)), ("headers", .optional(anatomy.headers?.argument)),
      ("position", .optional(anatomy.position?.argument)), ("keys_files", .bool(usesKeysFiles)),
    ]).text
  }

  /// Nil where another replay wrote it.
  init?(text: String) {
    guard let kept = try? JSONDecoder().decode(Kept.self, from: Data(text.utf8)), kept.format == EventLayout.format,
      let encoding = PayloadEncoding(rawValue: kept.encoding)
    else { return nil }
    anatomy = Anatomy(
      payload: kept.payload.map { JSONPath($0) }, payloadEncoding: encoding, key: JSONPath(kept.key),
      type: JSONPath(kept.type), time: JSONPath(kept.time), id: JSONPath(kept.id),
      headers: kept.headers.map { JSONPath($0) }, position: kept.position.map { JSONPath($0) })
    usesKeysFiles = kept.keysFiles
    isSeen = true
  }
}
