import ReplayCore

/// One value of a row, owned.
enum MemoryValue: Hashable, Sendable {
  case null
  case number(Int128)
  case bytes([UInt8])

  init(_ cell: UnsafePointer<Cell>, _ type: ColumnType) {
    if cell.pointee.isNull {
      self = .null
    } else if type.isText {
      self = .bytes(cell.pointee.withText { Array($0.bytes) })
    } else {
      self = .number(cell.pointee.number)
    }
  }

  func cell(in arena: Arena) -> Cell {
    switch self {
    case .null: .null
    case .number(let number): Cell(number: number)
    case .bytes(let bytes): bytes.withUnsafeBytes { Cell(Text($0), in: arena) }
    }
  }

  /// As a column of a database would show it.
  func text(_ type: ColumnType) -> String {
    switch self {
    case .null: return StoreConformance.null
    case .bytes(let bytes): return String(decoding: bytes, as: UTF8.self)
    case .number(let number):
      switch type {
      case .day: return Day(number: Int64(number)).description
      case .timestamp: return Timestamp(microseconds: Int64(number)).description
      default: return "\(number)"
      }
    }
  }

  func precedes(_ other: MemoryValue) -> Bool {
    switch (self, other) {
    case (.number(let a), .number(let b)): a < b
    case (.bytes(let a), .bytes(let b)): a.lexicographicallyPrecedes(b)
    default: self == .null && other != .null
    }
  }
}

/// The rows of one table.
struct MemoryTable: Sendable {
  let schema: TableSchema
  var rows: [[MemoryValue]: [MemoryValue]] = [:]

  init(schema: TableSchema) { self.schema = schema }

  var lines: [String] {
    rows.map { key, values in
      StoreConformance.line(schema.name, zip(key + values, schema.columns).map { $0.text($1.type) })
    }
  }

  mutating func delete(_ keys: [[Cell]]) {
    for key in keys {
      key.withUnsafeBufferPointer { cells in
        if let start = cells.baseAddress { rows[values(start, schema.keys)] = nil }
      }
    }
  }

  mutating func write(_ set: RowSet) throws {
    for index in 0..<set.count {
      guard let start = set[index].baseAddress else { continue }
      let key = values(start, schema.keys)
      let new = values(start + schema.keys.count, schema.values)
      let old = schema.kind == .merged ? rows[key] : nil
      var result = try zip(schema.values, new.indices).map { column, place in
        try merged(old?[place], new[place], column, key)
      }
      if let old { for place in schema.values.indices { try mergeOrdered(&result, old, new, place) } }
      rows[key] = result
    }
  }

  /// A value with an order, or a list: the two cells together.
  private func mergeOrdered(
    _ result: inout [MemoryValue], _ old: [MemoryValue], _ new: [MemoryValue], _ place: Int
  ) throws {
    switch schema.values[place].merge {
    case .first, .last:
      let isLater = old[place + 1].precedes(new[place + 1])
      let wins = old[place + 1] == .null || (schema.values[place].merge == .last ? isLater : !isLater)
      let winner = wins && new[place + 1] != .null ? new : old
      result[place...place + 1] = winner[place...place + 1]
    case .recent(let limit):
      let before = zip(Self.elements(old[place]), Self.elements(old[place + 1]))
      let after = zip(Self.elements(new[place]), Self.elements(new[place + 1]))
      let kept = (Array(before) + Array(after)).sorted { $0.1 > $1.1 }.prefix(limit)
      if kept.isEmpty { return }
      result[place] = Self.list(kept.map(\.0))
      result[place + 1] = Self.list(kept.map(\.1))
    case .union(let limit):
      let all = Set(Self.elements(old[place]) + Self.elements(new[place]))
      if all.isEmpty { return }
      if all.count > limit { throw ReplayError(.data, "a value does not fit its column: \(schema.name)") }
      result[place] = Self.list(
        all.sorted {
          Int128($0) ?? 0 == Int128($1) ?? 0
            ? $0.utf8.lexicographicallyPrecedes($1.utf8) : Int128($0) ?? 0 < Int128($1) ?? 0
        })
    default: break
    }
  }

  /// The elements of a JSON array as they are written, by splitting between quotes and commas.
  private static func elements(_ value: MemoryValue) -> [String] {
    guard case .bytes(let bytes) = value else { return [] }
    var elements = [""]
    var (isString, isEscaped) = (false, false)
    for scalar in String(decoding: bytes, as: UTF8.self).dropFirst().dropLast().unicodeScalars {
      if scalar == "," && !isString {
        elements.append("")
        continue
      }
      if scalar == "\"" && !isEscaped { isString.toggle() }
      isEscaped = scalar == "\\" && !isEscaped
      elements[elements.count - 1].unicodeScalars.append(scalar)
    }
    return elements == [""] ? [] : elements
  }

  private static func list(_ elements: [String]) -> MemoryValue {
    .bytes(Array(("[" + elements.joined(separator: ",") + "]").utf8))
  }

  private func values(_ cells: UnsafePointer<Cell>, _ columns: [TableSchema.Column]) -> [MemoryValue] {
    columns.enumerated().map { place, column in MemoryValue(cells + place, column.type) }
  }

  private func merged(
    _ old: MemoryValue?, _ new: MemoryValue, _ column: TableSchema.Column, _ key: [MemoryValue]
  ) throws -> MemoryValue {
    var result = new
    switch (column.merge, old, new) {
    case (.sum, .number(let a), .number(let b)): result = .number(a + b)
    case (.min, .some(let old), _) where old != .null: result = new == .null || old.precedes(new) ? old : new
    case (.max, .some(let old), _) where old != .null: result = new == .null || new.precedes(old) ? old : new
    default: break
    }
    if case .number(let number) = result, Int64(exactly: number) == nil {
      let row = zip(key, schema.keys).map { "\($1.name) \($0.text($1.type))" }.joined(separator: ", ")
      throw ReplayError(
        .data, "a value does not fit its column: \(schema.name).\(column.name)",
        details: ["table \(schema.name), row \(row)", "the value is \(number)"])
    }
    return result
  }

  /// The rows of one partition key, in key order, as `KeyedRows` keeps them.
  func cells(of key: Text, in arena: Arena) -> [[Cell]] {
    let wanted = MemoryValue.bytes(Array(key.bytes))
    let found = rows.filter { $0.key[0] == wanted }.sorted { a, b in
      let difference = zip(a.key, b.key).first { $0 != $1 }
      return difference.map { $0.precedes($1) } ?? false
    }
    return found.map { key, values in
      ((schema.isRanked ? [] : Array(key.dropFirst())) + values).map { $0.cell(in: arena) }
    }
  }
}
