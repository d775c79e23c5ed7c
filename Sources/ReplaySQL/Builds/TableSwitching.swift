import ReplayCore

/// What a database does in its own words when readers are pointed at another build.
package protocol TableSwitching {
  /// What these tables have that another table cannot be given, each in words: then nothing is switched.
  func obstacles(_ tables: [String]) throws -> [String]
  /// Gives `new` the indexes and rights that `old` has and it has not. In a transaction of its own, before the switch.
  func equip(_ new: String, like old: String, build: Int) throws
  /// Keeps everyone else from the tables until the transaction ends. Waits for a moment only, since readers that come
  /// wait behind it: throws `.temporary`.
  func seize(_ tables: [String]) throws
  /// Views over these tables that are not the function's own, to be made again over what has their names then.
  func othersViews(over tables: [String], but own: [String]) throws -> [OtherView]
  func rename(_ table: String, to name: String) throws
  func make(_ view: OtherView) throws
  /// Makes a function's view, or makes it anew.
  func make(view name: String, query: String) throws
}

/// Somebody's view, as the statement that makes it again.
package struct OtherView: Sendable, Equatable {
  package let name: String
  package let statement: String

  package init(name: String, statement: String) {
    self.name = name
    self.statement = statement
  }
}
