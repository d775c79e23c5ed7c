import ReplayCore

/// A table of a function in another language, as its declaration describes it, and how an answer's rows get into it.
struct DeclaredTable: Sendable {
  /// What an answer's value does to a column of a merged table.
  enum Merging: Sendable {
    case sum(SumColumn)
    case min(MinColumn)
    case max(MaxColumn)
    case union(SetColumn, of: ColumnType)
  }
  enum Shape: Sendable {
    case merged(MergedTable, [Merging])
    case keyed(KeyedTable, [ValueColumn])
  }
  let shape: Shape

  var table: any Table {
    switch shape {
    case .merged(let table, _): table
    case .keyed(let table, _): table
    }
  }
  var schema: TableSchema { table.schema }

  /// `declared`: `{"key": {"shade": "text"}, "merge": {"units": "sum"}}`, or with `"columns": {"name": "text"}` a table
  /// whose first key column is the partition key. Throws what is wrong, in one line.
  init(_ name: String, _ declared: JSONValue) throws(DeclarationFault) {
    guard let members = declared.members else { throw DeclarationFault("tables.\(name)", "an object", declared) }
    for member in members where !["key", "merge", "columns"].contains(member.name) {
      throw DeclarationFault("tables.\(name).\(member.name)", "only \"key\" and \"merge\" or \"columns\"", member.value)
    }
    try DeclaredTable.check(name)
    guard let keys = declared["key"]?.members, !keys.isEmpty else {
      throw DeclarationFault("tables.\(name).key", "an object of column names and types", declared["key"])
    }
    let place = "tables.\(name)"
    switch (declared["merge"]?.members, declared["columns"]?.members) {
    case (let merges?, nil):
      guard keys.count <= 3 else {
        throw DeclarationFault("\(place).key", "at most three columns where values merge", declared["key"])
      }
      var table = MergedTable(
        name,
        key: try keys.map { key throws(DeclarationFault) in
          try DeclaredTable.key(key, in: place)
        })
      var mergings: [Merging] = []
      for (column, value) in merges {
        try DeclaredTable.check(column)
        mergings.append(try DeclaredTable.merging(column, value, of: &table, "\(place).merge.\(column)"))
      }
      shape = .merged(table, mergings)
    case (nil, let columns?):
      guard keys[0].value.string == "text" else {
        throw DeclarationFault(
          "\(place).key.\(keys[0].name)", "\"text\": the first key column is the partition key", keys[0].value)
      }
      try DeclaredTable.check(keys[0].name)
      var table = KeyedTable(
        name, key: keys[0].name,
        then: try keys.dropFirst().map { key throws(DeclarationFault) in
          try DeclaredTable.key(key, in: place)
        })
      var made: [ValueColumn] = []
      for (column, value) in columns {
        try DeclaredTable.check(column)
        made.append(table.column(column, try DeclaredTable.type(value, "\(place).columns.\(column)")))
      }
      shape = .keyed(table, made)
    default:
      throw DeclarationFault(
        place, "either \"merge\" (values that merge) or \"columns\" (rows of one partition key)", declared)
    }
    let names = schema.columns.map(\.name)
    if Set(names).count < names.count { throw DeclarationFault(place, "each column once", declared) }
  }

  private static func check(_ name: String) throws(DeclarationFault) {
    let isPlain = name.utf8.allSatisfy { $0 >= 97 && $0 <= 122 || $0 >= 48 && $0 <= 57 || $0 == UInt8(ascii: "_") }
    guard isPlain, let first = name.utf8.first, first >= 97, name.utf8.count <= 63 else {
      throw DeclarationFault(
        name, "a name of 1 to 63 lower-case letters, digits and _, beginning with a letter", .string(name))
    }
  }

  private static func key(
    _ key: (name: String, value: JSONValue), in place: String
  ) throws(DeclarationFault) -> KeyColumn {
    try check(key.name)
    switch key.value.string {
    case "text": return .text(key.name)
    case "integer": return .integer(key.name)
    case "day": return .day(key.name)
    case "timestamp": return .timestamp(key.name)
    default: throw DeclarationFault("\(place).key.\(key.name)", "text, integer, day or timestamp", key.value)
    }
  }

  /// `text`, `integer`, `decimal(2)`, `day`, `timestamp` or `json`.
  private static func type(_ value: JSONValue, _ place: String) throws(DeclarationFault) -> ColumnType {
    if let type = value.string.flatMap({ type(named: $0) }) { return type }
    throw DeclarationFault(place, "text, integer, decimal(DIGITS), day, timestamp or json", value)
  }

  private static func type(named text: String) -> ColumnType? {
    switch text {
    case "text": return .text
    case "integer": return .integer
    case "day": return .day
    case "timestamp": return .timestamp
    case "json": return .json
    default:
      guard text.hasPrefix("decimal("), text.hasSuffix(")"), let scale = Int(text.dropFirst(8).dropLast()),
        (0...18).contains(scale)
      else { return nil }
      return .decimal(scale: scale)
    }
  }

  /// `sum`, `sum decimal(2)`, `min day`, `max timestamp`, `union text 100`.
  private static func merging(
    _ column: String, _ value: JSONValue, of table: inout MergedTable, _ place: String
  ) throws(DeclarationFault) -> Merging {
    let words = value.string?.split(separator: " ").map(String.init) ?? []
    let type = words.count > 1 ? type(named: words[1]) : nil
    switch (words.first, words.count, type) {
    case ("sum", 1, _): return .sum(table.sum(column))
    case ("sum", 2, let type?) where !type.isText && type != .day && type != .timestamp:
      return .sum(table.sum(column, type))
    case ("min", 2, let type?) where type != .json: return .min(table.min(column, type))
    case ("max", 2, let type?) where type != .json: return .max(table.max(column, type))
    case ("union", 3, let type?) where type != .json:
      guard let limit = Int(words[2]), (1...100_000).contains(limit) else { break }
      return .union(table.union(column, type, limit: limit), of: type)
    default: break
    }
    throw DeclarationFault(
      place, "\"sum\", \"sum decimal(2)\", \"min TYPE\", \"max TYPE\" or \"union TYPE LIMIT\"", value)
  }
}

/// What is wrong in a declaration.
struct DeclarationFault: Error {
  let place: String
  let expected: String
  let found: String

  init(_ place: String, _ expected: String, _ found: JSONValue?) {
    self.place = place
    self.expected = expected
    self.found = found?.kind ?? "nothing"
  }
}
