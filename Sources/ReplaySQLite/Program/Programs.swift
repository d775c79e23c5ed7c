import ReplayCore
import ReplaySQL

/// The programs of the functions that one run writes with. On one connection there is one relation `events` at a time.
final class Programs {
  private let connection: Connection
  private let guardian = ProgramGuard()
  private var runners: [String: ProgramRunner] = [:]
  /// Whose `events` it is; nil where nobody's, or not known.
  private var current: String?

  init(_ connection: Connection) { self.connection = connection }

  /// Takes over the functions that have programs: makes what `missing` says is not there, prepares all statements. Inside
  /// the transaction of the store's opening.
  func open(_ functions: [FunctionIdentity], missing: (String) -> Bool) throws {
    guard functions.contains(where: { $0.program != nil }) else { return }
    runners = [:]
    guardian.watch(connection)
    for (number, function) in functions.enumerated() {
      guard let program = function.program else { continue }
      let runner = try ProgramRunner(function.name, program, number: number, on: connection, guardian)
      try runner.define(missing: missing)
      runners[function.name] = runner
      try runner.begin()
      current = function.name
    }
  }

  /// The transaction was rolled back, and with it perhaps whose `events` it is.
  func rolledBack() { current = nil }

  private func runner(of function: String) throws -> ProgramRunner {
    guard let runner = runners[function] else {
      throw ReplayError(.unexpected, "the program of \(function) was not opened in this store")
    }
    if current != function {
      try runner.begin()
      current = function
    }
    return runner
  }

  /// Runs the function's program over what was gathered; the number of rows that it changed. Throws `ProgramFault`.
  func run(_ function: EpochCommit.Function) throws -> UInt64 {
    if function.gathered.isEmpty { return 0 }
    return try runner(of: function.name).run(EventBatch.split(function.gathered))
  }

  /// What the fault is about, once its transaction was rolled back: runs the program again up to the batch, and finds the
  /// first event that it fails at. Throws `RefusedEvent`; leaves the store as it was.
  func explain(_ fault: ProgramFault, in epoch: EpochCommit) throws -> Never {
    guard let function = epoch.functions.first(where: { $0.name == fault.function }) else { throw fault.error }
    if fault.error.code != .data { throw fault.error }
    let batches = EventBatch.split(function.gathered)
    try connection.run("BEGIN IMMEDIATE")
    defer {
      connection.rollback()
      rolledBack()
    }
    let runner = try runner(of: function.name)
    for batch in batches.prefix(fault.batch) {
      if let error = runner.run(batch) { throw error }
    }
    let found = try first(in: batches[fault.batch], runner)
    guard let found, let (rows, index) = batches[fault.batch].row(found.event) else {
      throw unplaced(fault, batches[fault.batch], function)
    }
    let place = rows.place(index)
    var error = found.error
    error.details += ["\(place)", "event: \(runner.values(rows, index))"]
    throw RefusedEvent(function: fault.function, place: place, error: error)
  }

  /// The place in the batch of the event before which the statements succeed, and with which they fail. Nil where they fail
  /// without any, or not again.
  private func first(in batch: EventBatch, _ runner: ProgramRunner) throws -> (event: Int, error: ReplayError)? {
    func attempt(_ count: Int) throws -> ReplayError? {
      try connection.run("SAVEPOINT _replay_attempt")
      let error = runner.run(batch.prefix(count))
      if let error, error.code != .data { throw error }
      try connection.run("ROLLBACK TO _replay_attempt")
      try connection.run("RELEASE _replay_attempt")
      return error
    }
    guard var error = try attempt(batch.count), try attempt(0) == nil else { return nil }
    var (good, bad) = (0, batch.count)
    while bad - good > 1 {
      let middle = (good + bad) / 2
      if let found = try attempt(middle) { (bad, error) = (middle, found) } else { good = middle }
    }
    return (bad - 1, error)
  }

  private func unplaced(_ fault: ProgramFault, _ batch: EventBatch, _ function: EpochCommit.Function) -> ReplayError {
    var error = fault.error
    error.summary = "the function \(fault.function) could not apply a batch of events"
    let ends = [batch.row(0), batch.row(batch.count - 1)].compactMap { $0.map { $0.rows.place($0.index) } }
    error.details.append(
      "no one event is at fault; the batch has \(batch.count) events, from "
        + ends.map { "position \($0.position) of \($0.partition)" }.joined(separator: " to "))
    error.effect = "nothing of the last commit was written; all before it is there"
    error.next = "mend the function, then run the same command"
    return error
  }
}
