import ReplayCore
import Testing

@testable import ReplayCommands

/// The decisions of `replay bench`. What is expected was worked out by hand.
@Suite struct BenchTests {
  // MARK: Statistics

  @Test func aSampleIsMeasured() {
    let sample = Sample([2, 4, 4, 4, 5, 5, 7, 9])
    #expect(sample.mean == 5)
    #expect(sample.median == 4.5)
    #expect((sample.least, sample.greatest) == (2, 9))
    // The squares of the distances add up to 32, by 7.
    #expect(abs((sample.deviation ?? 0) - 2.138_089_935) < 1e-9)
  }

  @Test func theMedianOfAnOddNumberIsOneOfThem() {
    #expect(Sample([3, 1, 2]).median == 2)
    #expect(Sample([1, 100]).median == 50.5)
  }

  @Test func oneValueHasNoDeviationAndNoneIsNothing() {
    #expect(Sample([7]).deviation == nil)
    #expect(Sample([7]).mean == 7)
    #expect((Sample([]).mean, Sample([]).median, Sample([]).least) == (0, 0, 0))
  }

  @Test func aMachineThatSlowsDownMovesTheTimesAndNotTheRatio() {
    let ratios = Sample.pairedRatios([1, 2, 10], [2, 4, 20])
    #expect(ratios.values == [0.5, 0.5, 0.5])
    #expect(ratios.deviation == 0)
  }

  @Test func aTimeOfZeroGivesNoRatio() {
    #expect(Sample.pairedRatios([1, 1], [0, 4]).values == [0.25])
  }

  // MARK: Thresholds

  static let good: [(text: String, measure: Threshold.Measure, least: Double)] = [
    ("0.5", .ratio, 0.5), ("1", .ratio, 1), (".25", .ratio, 0.25), ("5.8M/s", .eventsPerSecond, 5.8e6),
    ("200k/s", .eventsPerSecond, 200_000), ("1G/s", .eventsPerSecond, 1e9), ("12/s", .eventsPerSecond, 12),
    ("10000x", .timesLive, 10_000), ("10kx", .timesLive, 10_000), ("0.5x", .timesLive, 0.5),
  ]

  @Test(arguments: good) func aThresholdIsRead(text: String, measure: Threshold.Measure, least: Double) {
    let threshold = Threshold(text)
    #expect(threshold?.measure == measure)
    #expect(threshold.map { abs($0.least - least) < least * 1e-12 } == true)
    #expect(threshold?.text == text)
  }

  @Test(arguments: [
    "", "0", "-0.5", "1.01", "5", "5M", "0.5k", "nan", "inf", "1e3", "0x1", "1,5", "x", "/s", "M/s", "kx", "0x", "0/s",
    "1..2", ".", " 0.5", "5.8 M/s", "5.8m/s", "10000X",
  ])
  func whatIsNoThresholdIsRefused(text: String) {
    #expect(Threshold(text) == nil)
  }

  @Test func severalArePartedByCommas() {
    #expect(Threshold.list("0.5,10000x")?.map(\.measure) == [.ratio, .timesLive])
    #expect(Threshold.list("0.5,") == nil)
    #expect(Threshold.list("0.5,fast") == nil)
  }

  @Test func aVerdictSaysByHowMuch() throws {
    let half = try #require(Threshold("0.5"))
    #expect(Verdict(threshold: half, measured: 0.5).isMet)
    #expect(Verdict(threshold: half, measured: 0.6).shortfall == 0)
    let missed = Verdict(threshold: half, measured: 0.4)
    #expect(!missed.isMet)
    #expect(abs(missed.shortfall - 0.2) < 1e-12)
    #expect(missed.sentence == "0.400 of decompress-only, wanted 0.5: 20.0 % short")
    let rate = try #require(Threshold("4M/s"))
    #expect(Verdict(threshold: rate, measured: 3e6).sentence == "3.00 M/s events, wanted 4M/s: 25.0 % short")
    let live = try #require(Threshold("10000x"))
    #expect(Verdict(threshold: live, measured: 12_345.6).sentence == "12,345x live speed, wanted 10000x: met")
  }

  @Test func onlyMissedThresholdsEndInAnError() throws {
    let (half, live) = (try #require(Threshold("0.5")), try #require(Threshold("10x")))
    #expect(Bench.missed([]) == nil)
    #expect(Bench.missed([Verdict(threshold: half, measured: 0.5)]) == nil)
    let both = [Verdict(threshold: half, measured: 0.6), Verdict(threshold: live, measured: 5)]
    let error = try #require(Bench.missed(both))
    #expect(error.code.rawValue == 99)
    #expect(error.summary.contains("5.0x live speed, wanted 10x: 50.0 % short"))
  }

  // MARK: The time that the events span

  @Test func theSpanIsFromTheLeastToTheGreatestOfAllThreads() {
    var (a, b) = (ArchiveSurvey(), ArchiveSurvey())
    #expect(a.span == nil)
    a.add(Timestamp(microseconds: 5_000_000))
    #expect(a.span == nil)
    a.add(Timestamp(microseconds: 3_000_000))
    #expect(a.span == 2)
    b.add(Timestamp(microseconds: -1_000_000))
    a.merge(b)
    a.merge(ArchiveSurvey())
    #expect((a.span, a.timed) == (6, 3))
  }

  // MARK: Runs that should be the same

  @Test func equalRunsAreNoError() {
    #expect(BenchRuns.difference(["a", "a"], ["1", "1"]) == nil)
    #expect(BenchRuns.difference(["a", "a"], []) == nil)
  }

  @Test func differentRunsAreOne() {
    #expect(BenchRuns.difference(["a", "a", "a"], ["1", "2", "1"])?.details.contains("whole run 2: 2") == true)
    #expect(BenchRuns.difference(["a", "b"], [])?.code == .unexpected)
  }

  @Test func theHashTellsTablesApart() {
    let rows = TableRows(name: "a", rows: 3, digest: 255)
    #expect(rows.hash == "00000000000000ff")
    let other = TableRows(name: "b", rows: 3, digest: 255)
    #expect(TableRows.hash(of: [rows]) != TableRows.hash(of: [other]))
    #expect(TableRows.hash(of: [rows, other]) != TableRows.hash(of: [other, rows]))
    #expect(TableRows.hash(of: [rows]).count == 16)
  }

  @Test func spansAndTimesAreReadable() {
    #expect(BenchWords.span(3 * 86_400) == "3 days")
    #expect(BenchWords.span(7_200) == "2h0m")
    #expect(BenchWords.times(9.96) == "10.0x")
    #expect(BenchWords.times(64_192_182.4) == "64,192,182x")
  }
}
