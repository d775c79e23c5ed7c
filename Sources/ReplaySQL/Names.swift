import ReplayCore

/// Which names a function may give its tables, columns and views. Names become SQL, so the rule is narrow.
package enum Names {
  /// Refuses what SQL could misread and what is ours or SQLite's own. Names that differ only in case are one name.
  package static func check(_ function: FunctionIdentity) throws {
    if !function.isBeside, FunctionBuild.isBeside(function.name) {
      throw ReplayError(
        .usage, "not a name for a function: \(function.name)", details: ["@ stands before the number of a build"],
        next: "rename the function")
    }
    for table in function.tables {
      try check(table.storedName, "table", of: function)
      var seen: Set<String> = []
      for column in table.columns {
        try check(column.name, "column", of: function)
        guard seen.insert(column.name.lowercased()).inserted else {
          throw refusal("column", column.name, of: function, "table \(table.name) has it twice")
        }
      }
    }
    for view in function.viewNames { try check(view, "view", of: function) }
    for definition in function.program?.definitions ?? [] {
      try check(definition.name, definition.kind.rawValue, of: function)
    }
  }

  /// Refuses a table or view that two of these functions, or one of them twice, declare.
  package static func checkShared(_ functions: [FunctionIdentity]) throws {
    var owners: [String: String] = [:]
    for function in functions {
      for name in function.objects {
        if let other = owners.updateValue(function.name, forKey: name.lowercased()) {
          throw ReplayError(
            .config, "two declarations of one table or view: \(name)",
            details: ["function \(other) declares \(name)", "function \(function.name) declares \(name)"],
            next: "rename one of them")
        }
      }
    }
  }

  private static func check(_ name: String, _ kind: String, of function: FunctionIdentity) throws {
    let bytes = Array(name.utf8)
    let isLetter = { (byte: UInt8) in byte | 32 >= 97 && byte | 32 <= 122 || byte == UInt8(ascii: "_") }
    guard (1...63).contains(bytes.count), isLetter(bytes[0]),
      bytes.allSatisfy({ isLetter($0) || $0 >= 48 && $0 <= 57 })
    else {
      throw refusal(kind, name, of: function, "a name has 1 to 63 letters (A–Z, a–z), digits and underscores")
    }
    let lower = name.lowercased()
    if lower.hasPrefix("_replay") || lower.hasPrefix("sqlite_") || lower == "excluded" {
      throw refusal(kind, name, of: function, "names that begin with _replay or sqlite_, and excluded, are taken")
    }
  }

  private static func refusal(
    _ kind: String, _ name: String, of function: FunctionIdentity, _ rule: String
  ) -> ReplayError {
    ReplayError(
      .usage, "not a name for a \(kind): \(name)", details: ["function \(function.name)", rule],
      next: "rename the \(kind) in the function")
  }
}

extension FunctionIdentity {
  /// The names of its tables and views.
  var objects: [String] { tableNames + viewNames }
}
