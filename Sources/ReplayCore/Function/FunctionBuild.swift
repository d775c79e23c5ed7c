/// A function in one of its builds: where that does not serve, under the build's own name and with tables of its own, and
/// without views, which are made when it serves. A store opens it only where the build still has that name.
public struct FunctionBuild: Projection {
  public let function: any Projection
  public let number: Int
  /// Its tables are those that readers read: it has the function's own names.
  public let isServing: Bool

  /// Builds of a function count from 1.
  public init(_ function: any Projection, number: Int, isServing: Bool = false) {
    self.function = function
    self.number = number
    self.isServing = isServing
  }

  /// Of a function's checkpoint: `shade-velocity@2`.
  public static func name(_ function: String, number: Int) -> String { "\(function)@\(number)" }
  /// Whether a checkpoint's name is that of a build which does not serve.
  public static func isBeside(_ name: String) -> Bool { name.utf8.contains(UInt8(ascii: "@")) }
  /// Of a function's table: `shade_velocity__2`.
  public static func table(_ name: String, number: Int) -> String { "\(name)__\(number)" }

  public var name: String { isServing ? function.name : FunctionBuild.name(function.name, number: number) }
  public var version: Int { function.version }
  public var reads: Reads { function.reads }
  public var tables: [any Table] { function.tables.map { Beside(schema: renamed($0.schema)) } }
  /// The function's own name of a table of build `number`, which does not serve.
  public static func plain(_ table: String, number: Int) -> String {
    let ending = FunctionBuild.table("", number: number)
    return table.hasSuffix(ending) ? String(table.dropLast(ending.utf8.count)) : table
  }

  public var views: [(name: String, select: String)] { function.views }
  public var postgresViews: [(name: String, select: String)] { function.postgresViews }
  public var program: StoreProgram? { function.program }
  public var isMergeOnly: Bool { function.isMergeOnly }
  public var hasSessions: Bool { function.hasSessions }
  public var windowSeconds: Int64? { function.windowSeconds }

  public func apply(_ batch: Batch, _ changes: Changes) throws { try function.apply(batch, changes) }
  public func session(lane: Int) throws -> (any FunctionSession)? { try function.session(lane: lane) }

  private struct Beside: Table { let schema: TableSchema }

  private func renamed(_ schema: TableSchema) -> TableSchema {
    var schema = schema
    if !isServing { schema.storedName = FunctionBuild.table(schema.name, number: number) }
    return schema
  }
}
