import ReplayCore

/// The builds of a function as they are at one moment, which passes for everyone else meanwhile.
package struct BuildSnapshot {
  package let standings: [BuildStanding]
  private let connection: any SQLConnection

  init(of function: String, on connection: any SQLConnection) throws {
    self.connection = connection
    let stored = try StoredFunction.all(on: connection)
    standings = try BuildRows(connection: connection).known(of: function).compactMap { build in
      try stored.first { $0.key.function == build.name }.map { try connection.standing(of: build, $0) }
    }
  }

  package func standing(_ number: Int) throws -> BuildStanding {
    guard let found = standings.first(where: { $0.build.number == number }) else {
      throw ReplayError(.usage, "the store has no build \(number) that ran", next: "see `replay status`")
    }
    return found
  }

  /// The tables of a build, under the function's own names.
  package func shapes(of number: Int) throws -> [TableShape] {
    try tables(of: number).sorted { $0.key < $1.key }.compactMap { name, stored in
      try connection.shape(of: stored).map { TableShape(name: name, columns: $0.columns, key: $0.key) }
    }
  }

  /// What each table of both builds differs in; `later`: the other build's, of another moment at the same positions.
  /// `comparison`: for a table, by the function's own name.
  package func differences(
    _ old: Int, _ new: Int, later: BuildSnapshot, by comparison: (String) -> TableComparison
  ) throws -> [(table: String, found: TableDifference?)] {
    let (left, right) = (try tables(of: old), try later.tables(of: new))
    let names = Set(left.keys).union(right.keys).sorted()
    return try names.map { name in
      guard let one = left[name], let other = right[name] else { return (name, nil) }
      let found = try comparison(name).compare(
        TableComparison.Side(one, on: connection), TableComparison.Side(other, on: later.connection))
      return (name, found)
    }
  }

  /// Stored names by the function's own.
  private func tables(of number: Int) throws -> [String: String] {
    let name = try standing(number).build.name
    let stored = try StoredFunction.all(on: connection).first { $0.key.function == name }?.tables ?? []
    let isBeside = FunctionBuild.isBeside(name)
    return Dictionary(
      stored.map { (isBeside ? FunctionBuild.plain($0, number: number) : $0, $0) }, uniquingKeysWith: { $1 })
  }
}
