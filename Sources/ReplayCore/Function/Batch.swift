/// Whether an event comes from the archive or from the live stream: a pure function of its position against the
/// archive's frozen end. And what a function's checkpoint says of it.
public enum Phase: String, Sendable, Hashable {
  case archive
  case live
  /// Only of a checkpoint: another consumer goes on with the stream.
  case handedOver = "handed over"
}

/// Consecutive events of one lane, handed to the projection in one call. Valid only during that call.
///
/// Holds unsafe pointers into the block: an event must cost no allocation and no reference count.
public struct Batch {
  @usableFromInline let block: Unmanaged<RecordBlock>
  /// For each field the function declared, its place among the block's fields.
  @usableFromInline let columns: UnsafePointer<Int>
  /// The records of this batch; nil: all of the block.
  @usableFromInline let selection: UnsafeBufferPointer<UInt32>?
  @usableFromInline let mask: UInt32
  @usableFromInline let keyColumn: Int
  /// Where the place in the block of the event being looked at is kept, for who must name it in an error. The caller's
  /// own: lanes share blocks, so it cannot be the block's.
  @usableFromInline let cursor: UnsafeMutablePointer<Int>?
  public let phase: Phase

  /// `columns`, `selection` and `cursor` must outlive the batch; `mask` picks the function's records.
  public init(
    block: RecordBlock, columns: UnsafePointer<Int>, selection: UnsafeBufferPointer<UInt32>? = nil, mask: UInt32,
    keyColumn: Int, cursor: UnsafeMutablePointer<Int>? = nil, phase: Phase = .archive
  ) {
    self.block = .passUnretained(block)
    self.columns = columns
    self.selection = selection
    self.mask = mask
    self.keyColumn = keyColumn
    self.cursor = cursor
    self.phase = phase
  }
}

extension Batch: Sequence {
  @frozen public struct Iterator: IteratorProtocol {
    @usableFromInline let batch: Batch
    @usableFromInline let count: Int
    @usableFromInline var place = 0

    @inlinable init(_ batch: Batch) {
      self.batch = batch
      count = batch.selection?.count ?? batch.block._withUnsafeGuaranteedRef { $0.count }
    }

    @inlinable public mutating func next() -> Event? {
      while place < count {
        let record = batch.selection.map { Int($0[place]) } ?? place
        place += 1
        let found = batch.block._withUnsafeGuaranteedRef { block -> Event? in
          guard block.masks[record] & batch.mask != 0 else { return nil }
          batch.cursor?.pointee = record
          return Event(
            bytes: UnsafeRawPointer(block.bytes), fields: block.fields + record * block.fieldCount,
            columns: batch.columns, record: record, block: batch.block, keyColumn: batch.keyColumn)
        }
        if let found { return found }
      }
      return nil
    }
  }

  @inlinable public func makeIterator() -> Iterator { Iterator(self) }
}

/// One recorded fact with its key, payload and position. Valid only while its batch is.
public struct Event {
  @usableFromInline let bytes: UnsafeRawPointer
  @usableFromInline let fields: UnsafePointer<Slice>
  @usableFromInline let columns: UnsafePointer<Int>
  @usableFromInline let record: Int
  @usableFromInline let block: Unmanaged<RecordBlock>
  @usableFromInline let keyColumn: Int

  @inlinable init(
    bytes: UnsafeRawPointer, fields: UnsafePointer<Slice>, columns: UnsafePointer<Int>, record: Int,
    block: Unmanaged<RecordBlock>, keyColumn: Int
  ) {
    self.bytes = bytes
    self.fields = fields
    self.columns = columns
    self.record = record
    self.block = block
    self.keyColumn = keyColumn
  }

  public var position: Position { block._withUnsafeGuaranteedRef { $0.position(at: record) } }
  public var partition: Partition { block._withUnsafeGuaranteedRef { $0.segment(of: record).partition } }

  @inlinable func slice(_ index: Int) -> Slice { fields[columns[index]] }

  @inlinable func text(_ slice: Slice) -> Text { Text(start: bytes + Int(slice.offset), count: slice.count) }

  /// The partition key; an error where the event has none.
  @inlinable public var key: Text {
    get throws {
      guard keyColumn >= 0 else { throw FieldError(field: nil, expected: "a partition key", found: .missing) }
      let slice = fields[keyColumn]
      guard slice.kind == .string || slice.kind == .number, slice.count > 0 else {
        throw FieldError(
          field: nil, expected: "a partition key", found: slice.kind, excerpt: slice.count == 0 ? "\"\"" : nil)
      }
      return text(slice)
    }
  }

  @inlinable public subscript(field: TextField) -> Text {
    get throws {
      let slice = slice(field.index)
      guard slice.kind == .string else { throw error(field.index, "text", slice) }
      return text(slice)
    }
  }

  @inlinable public subscript(field: IntegerField) -> Int64 {
    get throws {
      let slice = slice(field.index)
      guard slice.kind == .number, let value = ValueParsing.integer(text(slice)) else {
        throw error(field.index, "an integer of at most 64 bits", slice)
      }
      return value
    }
  }

  @inlinable public subscript(field: DecimalField) -> FixedDecimal {
    get throws {
      let slice = slice(field.index)
      guard slice.kind == .number, let value = ValueParsing.decimal(text(slice), scale: field.scale) else {
        throw error(field.index, "a number with at most \(field.scale) digits behind the point", slice)
      }
      return value
    }
  }

  @inlinable public subscript(field: TimeField) -> Timestamp {
    get throws {
      let slice = slice(field.index)
      if field.microseconds > 0 {
        guard slice.kind == .number, let value = ValueParsing.time(text(slice), microseconds: field.microseconds) else {
          throw error(
            field.index,
            "a whole number of \(TimeUnit(rawValue: field.microseconds).map { "\($0)" } ?? "units") since 1970", slice)
        }
        return value
      }
      guard slice.kind == .string, let value = ValueParsing.timestamp(text(slice)) else {
        throw error(field.index, "an RFC 3339 time", slice)
      }
      return value
    }
  }

  @inlinable public subscript(field: BooleanField) -> Bool {
    get throws {
      let slice = slice(field.index)
      guard slice.kind == .boolean else { throw error(field.index, "true or false", slice) }
      return slice.count == 4
    }
  }

  /// The raw JSON value; nil where the event has none or it is null.
  @inlinable public subscript(field: JSONField) -> Text? {
    let slice = slice(field.index)
    return slice.kind == .missing || slice.kind == .null ? nil : text(slice)
  }

  public subscript(field: RecordField) -> Text {
    block._withUnsafeGuaranteedRef { $0.text($0.records[record]) }
  }

  /// Empty where the event has none: a tombstone.
  public subscript(field: PayloadField) -> Text {
    let slice = slice(field.index)
    switch slice.kind {
    // Without an envelope the payload is the record.
    case .missing: return block._withUnsafeGuaranteedRef { $0.text($0.records[record]) }
    case .null: return Text(start: Text.nothing, count: 0)
    default: return text(slice)
    }
  }

  // The same fields where an event need not have them: nil where the field is missing or null, an error where it is
  // something else than declared.

  @inlinable public subscript(ifPresent field: TextField) -> Text? {
    get throws { has(field.index) ? try self[field] : nil }
  }
  @inlinable public subscript(ifPresent field: IntegerField) -> Int64? {
    get throws { has(field.index) ? try self[field] : nil }
  }
  @inlinable public subscript(ifPresent field: DecimalField) -> FixedDecimal? {
    get throws { has(field.index) ? try self[field] : nil }
  }
  @inlinable public subscript(ifPresent field: TimeField) -> Timestamp? {
    get throws { has(field.index) ? try self[field] : nil }
  }
  @inlinable public subscript(ifPresent field: BooleanField) -> Bool? {
    get throws { has(field.index) ? try self[field] : nil }
  }

  @inlinable func has(_ field: Int) -> Bool {
    let kind = slice(field).kind
    return kind != .missing && kind != .null
  }

  @usableFromInline func error(_ field: Int, _ expected: String, _ slice: Slice) -> FieldError {
    let excerpt = slice.kind == .missing ? nil : String(text(slice)).prefix(60)
    return FieldError(field: field, expected: expected, found: slice.kind, excerpt: excerpt.map(String.init))
  }
}

/// A declared field of an event is not what the function said it is.
public struct FieldError: Error, Sendable {
  /// Index into `Reads.fields`; nil for the partition key.
  public let field: Int?
  public let expected: String
  public let found: Slice.Kind
  public let excerpt: String?

  public init(field: Int?, expected: String, found: Slice.Kind, excerpt: String? = nil) {
    self.field = field
    self.expected = expected
    self.found = found
    self.excerpt = excerpt
  }
}

extension FieldError {
  /// One line with the field's name, as far as `reads` declares it.
  public func text(of reads: Reads) -> String {
    let name = field.map { reads.fields[$0].name } ?? "key"
    var shown = excerpt ?? ""
    let found = shown.withUTF8 { ReplayError.excerpt(Text(UnsafeRawBufferPointer($0))) }
    return "field \(name): expected \(expected), found \(self.found)"
      + (found.isEmpty || self.found == .missing ? "" : " " + found)
  }
}
