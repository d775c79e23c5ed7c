import ReplayTesting

/// One mutation, and what became of it.
struct Case: Sendable {
  let layout: String
  let coding: String
  let damage: Damage
  let note: String
  let verdict: Verdict
  /// What the same run made of the mended archive; nil where that was not needed.
  var mended: Mended?

  enum Mended: Sendable { case equal, refused }

  var text: String { "\(layout), \(coding), \(damage.rawValue), \(note): \(verdict)" }
}

/// Makes the mutations of a seed.
struct Cases {
  private let seed: UInt64
  private var made: [Int: (archive: MadeArchive, sent: Oracle.Reading)] = [:]
  /// How many archives there are of each layout and compression.
  private static let variants = 4

  init(seed: UInt64) { self.seed = seed }

  mutating func next(_ number: Int) -> Case {
    var random = SplitMix64(seed: seed &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(number) &* 0xd134_2543_de82_ef95)
    let (layouts, codings) = (Layout.all.count, Coding.all.count)
    let place = number % (layouts * codings) * Cases.variants + random.number(0...Cases.variants - 1)
    let (archive, sent) = original(place)
    while true {
      let damage = random.one(of: Damage.allCases)
      var damager = Damager(archive: archive, random: random)
      let result = damager.damaged(by: damage)
      random = damager.random
      guard let result else { continue }
      return judged(result, damager.archive, sent, &random)
    }
  }

  private mutating func original(_ place: Int) -> (archive: MadeArchive, sent: Oracle.Reading) {
    if let known = made[place] { return known }
    let (layouts, pair) = (Layout.all.count, place / Cases.variants)
    let archive = MadeArchive(
      Layout.all[pair % layouts], Coding.all[pair / layouts], seed: seed ^ UInt64(place) &* 0x2545_f491_4f6c_dd1d)
    guard let sent = Oracle(archive).read(archive.files), sent.contradiction == nil else {
      preconditionFailure("the archive that was made is not whole: \(archive.layout.name), \(archive.coding.name)")
    }
    made[place] = (archive, sent)
    return (archive, sent)
  }

  private func judged(
    _ damaged: Damaged, _ archive: MadeArchive, _ sent: Oracle.Reading, _ random: inout SplitMix64
  ) -> Case {
    let runner = Runner(archive.layout, random: &random)
    let whole = archive.contents
    let contents = Dictionary(damaged.files.map { ($0.name, $0.bytes) }, uniquingKeysWith: { $1 })
    let judge = Judge(
      layout: archive.layout, sent: sent, says: Oracle(archive).read(damaged.files), damaged: damaged,
      isFirst: damaged.touched.map { $0.role == .values && $0.partition == 0 && $0.first == 0 } ?? false)
    let outcome = runner.run(contents)
    var verdict = judge.verdict(outcome, runner.seen)
    var result = Case(
      layout: archive.layout.name, coding: archive.coding.name, damage: damaged.damage, note: damaged.note,
      verdict: verdict)
    switch verdict {
    case .failed: return result
    case .equal: if case .finished = outcome { return result }
    case .refused, .unprovable: break
    }
    // The mended archive, into the same store: never a mixture of both.
    let second = judge.mended(runner.run(whole), runner.seen, after: &verdict)
    result = Case(
      layout: result.layout, coding: result.coding, damage: result.damage, note: result.note, verdict: verdict,
      mended: second)
    return result
  }
}

extension Judge {
  /// After the mended archive was run on top of what the damaged one left: all of it, or an error.
  func mended(_ outcome: Runner.Outcome, _ seen: Seen, after verdict: inout Verdict) -> Case.Mended? {
    switch outcome {
    case .finished:
      if seen.fault == nil, seen.events == sent.events { return .equal }
      if isBesideOfSameSize {
        verdict = .unprovable(.besideReplaced)
        return nil
      }
      if case .unprovable(let reason) = verdict, [.noChecksum, .fusedRecords, .firstRecord].contains(reason) {
        verdict = .unprovable(.halfFrame)
        return nil
      }
      verdict = .failed("the mended archive ended well on top of the damaged one, and its events are not those sent")
    case .refused(let error):
      if error.code == .data || error.code == .missing { return .refused }
      verdict = .failed("the mended archive was refused with \(error.code): \(error)")
    case .broken(let error): verdict = .failed("broken by the mended archive: \(error)")
    }
    return nil
  }

  /// Keys or headers became others, and their file stayed as long.
  private var isBesideOfSameSize: Bool {
    guard let before = damaged.touched, before.role == .keys || before.role == .headers else { return false }
    return damaged.files.contains { $0.name == before.name && $0.bytes.count == before.bytes.count }
  }
}
