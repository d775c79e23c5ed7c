import ReplayCore

/// Which fields are in the payload, and which in the envelope around it or, of a live event, beside it.
struct PayloadExtraction {
  enum Place {
    case payload(Int)
    case envelope(Int)
  }

  let outer: Extraction
  let inner: Extraction
  let columns: [Place]

  /// `beside`: places in `extraction.fields` that are not in the payload whatever their path says.
  init(_ extraction: Extraction, beside: Set<Int> = []) {
    let payload = extraction.anatomy.payload ?? JSONPath(members: [])
    var envelopeFields = [payload]
    var payloadFields: [JSONPath] = []
    columns = extraction.fields.enumerated().map { place, path in
      if !beside.contains(place), path.members.starts(with: payload.members) {
        payloadFields.append(JSONPath(members: Array(path.members.dropFirst(payload.members.count))))
        return .payload(payloadFields.count - 1)
      }
      envelopeFields.append(path)
      return .envelope(envelopeFields.count - 1)
    }
    let places = columns
    let all = extraction.functions.map { _ in Extraction.Function(conditions: [], columns: []) }
    outer = Extraction(fields: envelopeFields, functions: all, anatomy: extraction.anatomy)
    var plain = extraction.anatomy
    plain.position = nil
    plain.partition = nil
    let conditions = extraction.functions.map { function in
      Extraction.Function(
        conditions: function.conditions.compactMap { condition in
          guard case .payload(let index) = places[condition.field] else { return nil }
          return Extraction.Condition(field: index, values: condition.values)
        }, columns: [])
    }
    inner = Extraction(fields: payloadFields, functions: conditions, anatomy: plain)
  }
}

/// The memory of one merged block.
final class PayloadStorage {
  let payloads: BlockStorage
  private(set) var fields = UnsafeMutablePointer<Slice>.allocate(capacity: 1)
  private(set) var records = UnsafeMutablePointer<Slice>.allocate(capacity: 1)
  private(set) var marks = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
  private(set) var masks = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
  private(set) var ordinals = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

  init(blockBytes: Int) { payloads = BlockStorage(blockBytes: blockBytes) }

  deinit { release() }

  func prepare(records count: Int, fields width: Int) {
    release()
    fields = .allocate(capacity: max(1, count * width))
    records = .allocate(capacity: max(1, count))
    marks = .allocate(capacity: max(1, count))
    masks = .allocate(capacity: max(1, count))
    ordinals = .allocate(capacity: max(1, count))
  }

  private func release() {
    fields.deallocate()
    records.deallocate()
    marks.deallocate()
    masks.deallocate()
    ordinals.deallocate()
  }
}
