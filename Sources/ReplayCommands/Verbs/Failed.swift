import ArgumentParser
import ReplayCore
import ReplaySQL

/// `replay failed`: what runs with `--on-error park` or `dead-letter` have kept.
struct Failed: ParsableCommand {
  enum Action: String, ExpressibleByArgument, CaseIterable {
    case list, show, retry, drop
  }

  static let configuration = CommandConfiguration(
    abstract: "List, show, retry or drop events that a function could not apply.",
    discussion: """
      \(Root.toolName) failed list --store S
      \(Root.toolName) failed show --store S --partition 3 --position 30
      \(Root.toolName) failed retry --store S --function F
      \(Root.toolName) failed drop --store S --function F --key K

      retry applies the events again, a key's in their order, with the function as it is now; what is applied is no longer \
      kept, and a key without kept events is no longer parked. drop forgets events for good: of a parked key whose events \
      are dropped, later ones are applied without them. Both take the function from a run that goes on, which ends with \
      76 (drop: where a key is no longer parked): start it again.
      """)

  @Argument(help: "list, show, retry or drop.")
  var action: Action
  @OptionGroup(title: "Store") var store: StoreOptions
  @Option(help: "Only of this function; retry needs it, as run names it.")
  var function: String?
  @Option(help: "Only these: parked or dead.")
  var state: LeftEvent.State?
  @Option(help: "Only of this partition key.")
  var key: String?
  @Option(help: "Only of this partition, as 3 or retail/3.")
  var partition: String?
  @Option(help: "Only at this position. retry takes its whole parked key.")
  var position: Position?
  @Flag(help: "drop: everything that the store keeps, where nothing else says what.")
  var all = false
  @Option(help: "retry: how often an event is tried again before it stays.")
  var retries = 0
  @Option(help: "retry: seconds before the first of these; each next one waits twice as long.")
  var retryBackoff = 0.1
  @OptionGroup(title: "Functions in other languages") var foreign: ForeignOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    let isChosen = state != nil || key != nil || partition != nil || position != nil
    if action == .drop, !isChosen, !all {
      throw ValidationError("Say what to drop: --key, --partition, --position, --state, or --all.")
    }
    if action == .retry, function == nil { throw ValidationError("Give the function to retry with --function.") }
    if !(0...1_000).contains(retries) { throw ValidationError("--retries must be from 0 to 1,000.") }
  }

  /// A stream's partition is listed as `stream retail/3`.
  private static func plain(_ partition: String) -> [UInt8] {
    Array((partition.hasPrefix("stream ") ? String(partition.dropFirst(7)) : partition).utf8)
  }

  var filter: KeptFilter {
    KeptFilter(
      state: state, key: key.map { Array($0.utf8) }, partition: partition.map { Failed.plain($0) }, position: position)
  }

  func run() throws {
    output.apply()
    let inspector = try store.inspector()
    switch action {
    case .list:
      Signals.endAtOnce()
      FailedText.list(try inspector.failed(function: function, filter))
    case .show:
      Signals.endAtOnce()
      FailedText.show(try inspector.failed(function: function, filter, withRecords: true))
    case .drop: try drop(inspector)
    case .retry: try FailedRetry(self, inspector).run()
    }
  }

  private func drop(_ inspector: any StoreInspector) throws {
    // A file that is not there is not made.
    _ = try inspector.failed(function: function, filter)
    let dropped = try inspector.dropFailed(
      function: function, filter, by: "replay failed drop, \(RunOwner.text(since: SystemTime.now()))")
    if dropped.isEmpty { Console.shared.say("replay: nothing to drop") }
    for one in dropped {
      Console.shared.say("replay: \(one.function): \(Words.plural(one.events, "event")) dropped")
      if one.unparkedKeys > 0 {
        Console.shared.say(
          "replay: \(Words.plural(one.unparkedKeys, "key")) of \(one.function) \(one.unparkedKeys == 1 ? "is" : "are") parked no more: "
            + "later events are applied without the dropped ones; a run that goes on ends with 76, start it again")
      }
      if let left = KeptWords.sentence(one.kept) { Console.shared.say("replay: left      \(one.function): \(left)") }
      Console.shared.event(
        "dropped",
        [
          ("function", .string(one.function)), ("events", .number(one.events)),
          ("unparked_keys", .number(one.unparkedKeys)), ("kept", KeptWords.json(one.kept)),
        ])
    }
  }
}

extension LeftEvent.State: ExpressibleByArgument {}
extension Position: ExpressibleByArgument {}
