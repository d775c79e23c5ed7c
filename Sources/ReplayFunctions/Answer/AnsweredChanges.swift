import ReplayCore

/// Applies what a function answered, `{"upserts": […], "merges": […], "deletes": […]}`, to a lane's changes. Each element is
/// `{"table": "name", "row": {…}}`.
struct AnsweredChanges {
  let tables: [DeclaredTable]
  /// Whether an answer has the state of a time window beside its changes.
  var hasState = false

  /// What is wrong with an answer, in one line.
  struct Fault: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
  }

  /// One row to be changed, examined and not applied yet.
  private struct Change {
    enum Kind { case upsert, delete }
    let table: DeclaredTable
    let key: [any CellValue]
    let values: [(column: Int, value: (any CellValue)?)]
  }

  /// Examines all of the answer before it changes anything: an answer counts whole or not at all. `partition`: for a key of
  /// the batch's events, their partition's place in the plan; nil for any other key.
  func apply(_ answer: JSONValue, to changes: Changes, partition: (String) -> UInt32?) throws {
    guard let members = answer.members else {
      if answer.isNull { throw Fault("it answered null; a function without changes answers {}") }
      throw Fault("it answered \(answer.kind), expected an object of upserts, merges and deletes")
    }
    var merges: [Change] = []
    var upserts: [Change] = []
    var deletes: [Change] = []
    var seen: Set<String> = []
    for member in members {
      guard seen.insert(member.name).inserted else { throw Fault("it answered the member \(member.name) twice") }
      switch member.name {
      case "merges": merges = try self.changes(member, isDelete: false)
      case "upserts": upserts = try self.changes(member, isDelete: false)
      case "deletes": deletes = try self.changes(member, isDelete: true)
      case "batchItemFailures": break
      case "state" where hasState: break
      default: throw Fault("it answered a member \"\(member.name)\", expected upserts, merges and deletes")
      }
    }
    for merge in merges {
      guard case .merged = merge.table.shape else {
        throw Fault("merges: the rows of \(merge.table.schema.name) are upserted, its columns do not merge")
      }
    }
    for change in upserts + deletes {
      guard case .keyed = change.table.shape else {
        throw Fault("upserts and deletes: \(change.table.schema.name) is merged, a row of it cannot be replaced")
      }
      guard let key = change.key.first as? String, partition(key) != nil else {
        throw Fault(
          "\(change.table.schema.name): the row's key is \(change.key.first.map { "\($0)" } ?? "none"), which is no key of "
            + "the batch's events; rows that events of several keys touch are merged")
      }
    }
    for merge in merges { try apply(merge, changes) }
    for upsert in upserts { try self.upsert(upsert, changes, partition) }
    for delete in deletes {
      guard case .keyed(let table, _) = delete.table.shape, let key = delete.key.first as? String,
        let partition = partition(key)
      else { continue }
      try AnsweredChanges.rows(changes[table], key, partition).delete(Array(delete.key.dropFirst()))
    }
  }

  private func apply(_ merge: Change, _ changes: Changes) throws {
    guard case .merged(let table, let mergings) = merge.table.shape else { return }
    let row = try changes[table].row(of: merge.key)
    for case (let column, let value?) in merge.values {
      switch mergings[column] {
      case .sum(let sum): if let number = value as? any NumberValue { try row.add(number, to: sum) }
      case .min(let least):
        if let number = value as? any NumberValue { try row.lower(least, to: number) }
        if var text = value as? String {
          try text.withUTF8 { try row.lower(least, to: Text(UnsafeRawBufferPointer($0))) }
        }
      case .max(let greatest):
        if let number = value as? any NumberValue { try row.raise(greatest, to: number) }
        if var text = value as? String {
          try text.withUTF8 { try row.raise(greatest, to: Text(UnsafeRawBufferPointer($0))) }
        }
      case .union(let set, _): try row.insert(value, into: set)
      }
    }
  }

  private func upsert(_ upsert: Change, _ changes: Changes, _ partition: (String) -> UInt32?) throws {
    guard case .keyed(let table, let columns) = upsert.table.shape, let key = upsert.key.first as? String,
      let partition = partition(key)
    else { return }
    let row = try AnsweredChanges.rows(changes[table], key, partition).upsert(Array(upsert.key.dropFirst()))
    for (column, value) in upsert.values {
      if let value { try row.set(columns[column], to: value) } else { row.setNull(columns[column]) }
    }
  }

  private static func rows(_ table: KeyedRows, _ key: String, _ partition: UInt32) throws -> KeyRows {
    var key = key
    return try key.withUTF8 { try table.rows(of: Text(UnsafeRawBufferPointer($0)), in: partition) }
  }

  // MARK: Examining

  private func changes(_ list: (name: String, value: JSONValue), isDelete: Bool) throws -> [Change] {
    guard let elements = list.value.array else {
      throw Fault("\(list.name): it is \(list.value.kind), expected an array")
    }
    return try elements.enumerated().map { place, element in
      do { return try change(element, isDelete: isDelete) } catch let fault as Fault {
        throw Fault("\(list.name)[\(place)]: \(fault.reason)")
      }
    }
  }

  private func change(_ element: JSONValue, isDelete: Bool) throws -> Change {
    guard let name = element["table"]?.string else { throw Fault("it names no table") }
    guard let table = tables.first(where: { $0.schema.name == name }) else {
      let known = tables.map(\.schema.name).joined(separator: ", ")
      throw Fault("it names the table \(name), declared are \(known.isEmpty ? "none" : known)")
    }
    guard let row = element["row"]?.members else { throw Fault("it has no \"row\" with the columns' values") }
    for member in element.members ?? [] where member.name != "table" && member.name != "row" {
      throw Fault("it has a member \"\(member.name)\", expected \"table\" and \"row\"")
    }
    let schema = table.schema
    var key: [any CellValue] = []
    for column in schema.keys {
      guard let given = row.first(where: { $0.name == column.name })?.value, !given.isNull else {
        throw Fault("\(name).\(column.name): a row needs its whole key")
      }
      key.append(try AnsweredChanges.value(given, of: column.type, "\(name).\(column.name)"))
    }
    var values: [(column: Int, value: (any CellValue)?)] = []
    for (column, given) in row where !schema.keys.contains(where: { $0.name == column }) {
      guard let index = schema.values.firstIndex(where: { $0.name == column }), !isDelete else {
        throw Fault("\(name) has no \(isDelete ? "key " : "")column \(column)")
      }
      let type = table.elementType(index)
      values.append((index, given.isNull ? nil : try AnsweredChanges.value(given, of: type, "\(name).\(column)")))
    }
    return Change(table: table, key: key, values: values)
  }

  private static func value(_ given: JSONValue, of type: ColumnType, _ place: String) throws -> any CellValue {
    func parsed<Value>(_ text: String, _ parse: (Text) -> Value?) -> Value? {
      var text = text
      return text.withUTF8 { parse(Text(UnsafeRawBufferPointer($0))) }
    }
    switch (type, given) {
    case (.text, .string(let text)), (.bytes, .string(let text)): return text
    case (.json, _): return given.text
    case (.integer, .number(let text)): if let value = parsed(text, ValueParsing.integer) { return value }
    case (.decimal(let scale), .number(let text)), (.decimal(let scale), .string(let text)):
      if let value = parsed(text, { ValueParsing.decimal($0, scale: scale) }) {
        guard Int64(exactly: value.unscaled) != nil else { throw Fault("\(place): beyond 64 bits: \(text.prefix(40))") }
        return value
      }
    case (.day, .string(let text)): if let value = parsed(text, ValueParsing.day) { return value }
    case (.timestamp, .string(let text)): if let value = parsed(text, ValueParsing.timestamp) { return value }
    default: break
    }
    throw Fault("\(place) is of type \(type), found \(given.kind)")
  }
}

extension DeclaredTable {
  /// What an answer gives for a column: of a set, one element.
  func elementType(_ column: Int) -> ColumnType {
    if case .merged(_, let mergings) = shape, case .union(_, let type) = mergings[column] { return type }
    return schema.values[column].type
  }
}
