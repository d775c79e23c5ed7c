import ReplayCore

/// Starts children on one thread that never ends: a child is killed when the thread that started it does, and lanes'
/// threads end with each attempt.
final class Spawner: Sendable {
  static let shared = Spawner()

  private typealias Work = @Sendable () -> Void
  private struct Desk: Sendable {
    var work: [Work] = []
    var isRunning = false
  }
  private let desk = Monitor(Desk())

  /// Runs `body` there and returns what it does.
  func start<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
    let needsThread = desk.quietly { desk in
      defer { desk.isRunning = true }
      return !desk.isRunning
    }
    if needsThread {
      _ = try NamedThread("replay-spawn") { [desk] in
        while true {
          desk.wait { desk -> Work? in desk.work.isEmpty ? nil : desk.work.removeFirst() }()
        }
      }
    }
    let answer = Monitor<Swift.Result<Result, any Error>?>(nil)
    desk.change { desk in
      desk.work.append {
        let result = Swift.Result { try body() }
        answer.change { $0 = result }
      }
    }
    return try answer.wait { $0 }.get()
  }
}
