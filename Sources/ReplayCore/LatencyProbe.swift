/// Asks a database small questions, as one of its readers would, on a connection of its own. One thread uses it.
package protocol LatencyProbe: AnyObject, Sendable {
  /// Makes the connection where there is none, or none any more. Throws `ReplayError`.
  func connect() throws
  /// Sends the next question. Throws `ReplayError`.
  func ask() throws
  /// True once the answer is there, for which it waits so long at most. Throws `ReplayError` where it was none.
  func hasAnswered(within milliseconds: Int) throws -> Bool
  /// False of a question that prepares others, whose time says nothing unless it is long.
  var isCounted: Bool { get }
  /// Ends the connection, whatever was asked.
  func hangUp()
}
