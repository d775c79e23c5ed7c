import CChild
import ReplayCore
import Synchronization

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
  /// Where the keeper is told of groups; -1: there is none yet, or none could be started, and then only the children themselves
  /// end with this process.
  private let keeper = Mutex<Int32>(-1)

  /// The group that this process leads is to end with us, and what it has started too.
  func keep(_ leader: Int32) {
    keeper.withLock { keeper in
      if keeper < 0 { keeper = replay_keeper_start() }
      if keeper >= 0 { replay_keeper_tell(keeper, leader) }
    }
  }

  /// The group is gone: its number may be another's.
  func forget(_ leader: Int32) { keeper.withLock { if $0 >= 0 { replay_keeper_tell($0, -leader) } } }

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
