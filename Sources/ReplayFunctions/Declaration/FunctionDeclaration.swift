import ReplayCore

/// What a file says of a function in another language: its name, which events it wants and which tables it writes. One JSON
/// object; whatever it does not know is refused, so that a misspelt member is no silence.
public struct FunctionDeclaration: Sendable {
  public var name: String?
  public var version = 1
  public var contract: FunctionContract?
  var only: [(field: FieldSource, values: [String])] = []
  var tables: [DeclaredTable] = []
  var views: [(name: String, select: String)] = []

  /// A function of which nothing is said.
  public init() {}

  private static let members = ["function", "version", "contract", "only", "tables", "views"]

  /// Throws `.usage`, naming the file.
  public init(file path: String, _ text: [UInt8]) throws {
    do {
      try self.init(text.withUnsafeBytes { bytes throws(JSONReader.Fault) in try JSONReader.read(bytes) })
    } catch let fault as JSONReader.Fault {
      throw ReplayError(
        .usage, "the declaration of a function is no JSON: \(path)",
        details: ["byte \(fault.byte): expected \(fault.expected)"], effect: "nothing was read",
        next: "correct the file")
    } catch let fault as DeclarationFault {
      throw ReplayError(
        .usage, "the declaration of a function cannot be used: \(path)",
        details: ["\(fault.place): expected \(fault.expected), found \(fault.found)"], effect: "nothing was read",
        next: "correct the file")
    }
  }

  private init(_ declared: JSONValue) throws(DeclarationFault) {
    guard let members = declared.members else { throw DeclarationFault("the file", "an object", declared) }
    for member in members where !FunctionDeclaration.members.contains(member.name) {
      let known = FunctionDeclaration.members.joined(separator: ", ")
      throw DeclarationFault(member.name, "one of \(known)", .string(member.name))
    }
    name = try FunctionDeclaration.text(declared, "function")
    // It is a key in the store and a variable of workers, which end at a NUL.
    if let name, name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
      throw DeclarationFault("function", "a text without control characters", .string(name))
    }
    if let given = declared["version"] {
      guard case .number(let text) = given, let number = Int(text), number > 0 else {
        throw DeclarationFault("version", "a whole number above 0", given)
      }
      version = number
    }
    if let text = try FunctionDeclaration.text(declared, "contract") {
      guard let known = FunctionContract(rawValue: text) else {
        throw DeclarationFault("contract", "changes or writes-itself", .string(text))
      }
      contract = known
    }
    only = try FunctionDeclaration.conditions(declared["only"])
    for (name, table) in try FunctionDeclaration.object(declared, "tables") {
      tables.append(try DeclaredTable(name, table))
    }
    for (name, select) in try FunctionDeclaration.object(declared, "views") {
      guard let select = select.string else { throw DeclarationFault("views.\(name)", "a SELECT", select) }
      views.append((name, select))
    }
  }

  private static func text(_ declared: JSONValue, _ name: String) throws(DeclarationFault) -> String? {
    guard let value = declared[name] else { return nil }
    guard let text = value.string, !text.isEmpty else { throw DeclarationFault(name, "a text", value) }
    return text
  }

  private static func object(
    _ declared: JSONValue, _ name: String
  ) throws(DeclarationFault) -> [(name: String, value: JSONValue)] {
    guard let value = declared[name] else { return [] }
    guard let members = value.members else { throw DeclarationFault(name, "an object", value) }
    return members
  }

  /// `{"type": "a", "data.category": ["b", "c"]}`: `type`, `key` and `id` are the event's own, wherever the layout has them.
  private static func conditions(
    _ declared: JSONValue?
  ) throws(DeclarationFault) -> [(field: FieldSource, values: [String])] {
    guard let declared else { return [] }
    guard let members = declared.members else { throw DeclarationFault("only", "an object", declared) }
    var conditions: [(field: FieldSource, values: [String])] = []
    for (path, value) in members {
      let values = value.string.map { [$0] } ?? value.array?.compactMap(\.string) ?? []
      guard !values.isEmpty, values.count == value.array?.count ?? 1 else {
        throw DeclarationFault("only.\(path)", "a text, or an array of texts", value)
      }
      let field: FieldSource =
        switch path {
        case "type": .type
        case "key": .key
        case "id": .id
        default: .payload(JSONPath(path))
        }
      conditions.append((field, values))
    }
    return conditions
  }
}

/// What a function in another language does with its events. Never guessed.
public enum FunctionContract: String, Sendable, CaseIterable {
  /// It returns changes to declared tables, which are committed with the positions: exactly once.
  case changes
  /// It writes by itself, wherever it likes: each event is delivered at least once, those of one key in order.
  case writesItself = "writes-itself"
}
