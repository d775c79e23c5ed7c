import ReplayTesting

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// `damage [--runs N] [--seed S] [--only N]`: makes small archives in every layout and compression, damages each in one way,
/// and replays it. A run must end with an error that says what is wrong, or with every event applied once, in order; what
/// was applied before an error must be a true beginning. Then the mended archive is replayed on top: all of it, or an error.
///
/// Each mutation has a number and its own chance, so that `--only` repeats one. It ends with status 1 where one failed,
/// hung, or (the process being gone) with the number of the one that did in `damage-current.txt`.
@main
struct DamageTool {
  private var runs = 2_000
  private var seed: UInt64 = 1
  private var only: Int?

  static func main() {
    guard let tool = DamageTool(Array(CommandLine.arguments.dropFirst())) else {
      say("usage: damage [--runs N] [--seed S] [--only N]")
      exit(64)
    }
    exit(tool.run())
  }

  private init?(_ words: [String]) {
    var words = words[...]
    while let word = words.popFirst() {
      guard let value = words.popFirst() else { return nil }
      switch word {
      case "--runs": runs = Int(value) ?? 0
      case "--seed": seed = UInt64(value) ?? 0
      case "--only": only = Int(value)
      default: return nil
      }
    }
    if runs < 1 { return nil }
  }

  private func run() -> Int32 {
    say("damage: seed \(seed), \(runs) mutations")
    let watchdog = Watchdog(seed: seed)
    var account = Account()
    var cases = Cases(seed: seed)
    for number in only.map({ $0..<$0 + 1 }) ?? 0..<runs {
      watchdog.begins(number)
      let made = cases.next(number)
      account.add(made, number: number, seed: seed)
      if only != nil { say(made.text) }
    }
    watchdog.end()
    for line in account.lines { say(line) }
    say("\(account.passed) passed, \(account.failed) failed")
    return account.failed == 0 ? 0 : 1
  }
}

/// A pipe's reader sees the line at once.
func say(_ line: String) {
  print(line)
  fflush(nil)
}
