import ReplayCore

/// Events of one function that were found to be bad after they were applied: the run is made again from its last commit
/// with these left untried.
struct BadEvents: Sendable {
  private var faults: [EventPlace.Identity: FunctionFault] = [:]
  /// Names of their segments: most blocks have none.
  private var segments: Set<String> = []

  var isEmpty: Bool { faults.isEmpty }

  /// False where it is known already: nothing is gained by another attempt.
  mutating func add(_ fault: FunctionFault) -> Bool {
    segments.insert(fault.place.segment.name)
    return faults.updateValue(fault, forKey: fault.place.identity) == nil
  }

  func mayHave(_ segment: Segment) -> Bool { segments.contains(segment.name) }

  func fault(at place: EventPlace) -> FunctionFault? { faults[place.identity] }
}

/// What is known of events that are left, over the attempts of one run. One entry for each function.
struct Leaving: Sendable {
  let names: [String]
  let policy: FailurePolicy
  private(set) var badEvents: [BadEvents]

  init(_ projections: [any Projection], _ policy: FailurePolicy) {
    names = projections.map(\.name)
    self.policy = policy
    badEvents = projections.map { _ in BadEvents() }
  }

  /// True where the error is a function's and its event may be left: then the next attempt does so.
  mutating func takes(_ error: ReplayError) -> Bool {
    guard policy.choice != .fail, let fault = error.fault, let index = names.firstIndex(of: fault.function) else {
      return false
    }
    return badEvents[index].add(fault)
  }
}
