import ArgumentParser
import ReplayCore
import ReplayEngine
import ReplayFunctions
import ReplaySQLite

/// One of two functions that are compared.
struct DiffSide {
  /// `A` or `B`.
  let letter: String
  /// As `--function` says it.
  let text: String
  let name: String
  let version: Int
  let tables: [String]
  private let declaration: String?
  private let foreign: ForeignOptions

  /// Both sides, in their order. Throws `.usage` where a function cannot be compared.
  static func both(_ functions: [String], _ foreign: ForeignOptions) throws -> [DiffSide] {
    let declarations = try foreign.declared(functions, sharesOne: true)
    let sides = try zip(["A", "B"], zip(functions, declarations)).map { letter, function in
      try DiffSide(letter, function.0, declaredIn: function.1, foreign)
    }
    if sides.allSatisfy(\.tables.isEmpty) {
      throw ReplayError(
        .usage, "neither function has a table: there is nothing to compare", effect: "nothing was read",
        next: "name functions that make rows")
    }
    return sides
  }

  private init(_ letter: String, _ text: String, declaredIn file: String?, _ foreign: ForeignOptions) throws {
    (self.letter, self.text, self.foreign, declaration) = (letter, text, foreign, file)
    let function = try DiffSide.make(text, file, foreign)
    (name, version, tables) = (function.name, function.version, FunctionIdentity(function).tableNames)
    if let function = function as? ForeignFunction, function.contract == .writesItself {
      throw ReplayError(
        .usage, "the function \(name) writes by itself: it returns no rows that could be compared",
        details: ["function \(letter): \(text)"], effect: "nothing was read",
        next: "compare functions of the contract `changes`")
    }
  }

  private static func make(_ text: String, _ file: String?, _ foreign: ForeignOptions) throws -> any Projection {
    try foreign.function(text, declaredIn: file) ?? FunctionShelf.named(text)
  }

  /// Reads into the store at `path`. A function in another language has new processes for each reading: what they
  /// remember of one must not be in the next. Throws `ExitCode` where it was stopped.
  func replay(_ reading: ArchiveCuts.Reading, _ run: ScratchRun, into path: String) throws -> RunReport {
    let function = try DiffSide.make(text, declaration, foreign)
    defer { (function as? ForeignFunction)?.close() }
    do {
      let report = try run.replay([function], reading.plan, records: reading.records, into: path)
      if report.outcome == .stopped { throw ExitCode(128 + Signals.signal) }
      return report
    } catch var error as ReplayError {
      error.details.append("function \(letter): \(text)")
      throw error
    }
  }

  /// How many records each segment has, by name, of those that the store at `path` has settled.
  static func records(_ path: String) throws -> [String: UInt64] {
    let settled = try SQLiteInspector(path).inspect().flatMap(\.checkpoint.settled)
    return Dictionary(settled.map { ($0.entry.name, $0.records) }, uniquingKeysWith: { $1 })
  }
}
