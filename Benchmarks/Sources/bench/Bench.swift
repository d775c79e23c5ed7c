import Dispatch
import Foundation
import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplaySQLite
import RetailProjections

/// Times each stage of the path over one archive, and the whole path against decompression alone, in turns within one
/// run: `bench ARCHIVE [--runs 5] [--threads 2] [--function shade-velocity]`. Prints medians, the ratio of each pair
/// and a hash of the rows; quote the ratios, since absolute times drift with the machine.
@main
struct Bench {
  static func main() throws {
    let options = try BenchOptions(Array(CommandLine.arguments.dropFirst()))
    let benchmark = try BenchCase(options)
    print(
      "archive \(options.archive): \(benchmark.plan.segmentCount) segments, \(benchmark.plan.bytes) compressed bytes")
    print("machine \(ProcessInfo.processInfo.activeProcessorCount) processors, \(options.threads) threads used")
    print("kernel  \(ArchiveDecoder.kernel) (JSON)")
    var times: [String: [Double]] = [:]
    var hashes: Set<String> = []
    for run in 0...options.runs {
      for stage in Stage.allCases {
        let began = DispatchTime.now().uptimeNanoseconds
        let database = try benchmark.run(stage)
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - began) / 1e9
        if let database { hashes.insert(try benchmark.hash(of: database)) }
        if run > 0 { times[stage.rawValue, default: []].append(seconds) }
      }
    }
    report(times, hashes, events: try benchmark.countEvents())
  }

  private static func report(_ times: [String: [Double]], _ hashes: Set<String>, events: UInt64) {
    let floor = times[Stage.decompress.rawValue] ?? []
    for stage in Stage.allCases {
      let own = times[stage.rawValue] ?? []
      let ratios = zip(floor, own).map { $0 / $1 }
      let name = stage.rawValue.padding(toLength: 34, withPad: " ", startingAt: 0)
      let rate = Double(events) / median(own) / 1e6
      let raw = own.map { String(format: "%.3f", $0) }.joined(separator: " ")
      print(
        name
          + String(
            format: "median %.3f s  %.2f M events/s  of decompress-only %.2f  [%@]", median(own), rate, median(ratios),
            raw))
    }
    print("rows hash \(hashes.sorted().joined(separator: " ")) (one: every run wrote the same rows)")
  }

  static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

/// What is timed: each stage includes those before it.
enum Stage: String, CaseIterable {
  case decompress = "decompress"
  case extract = "decompress, split, extract"
  case fold = "decompress, split, extract, fold"
  case whole = "whole path into SQLite"
}

struct BenchOptions {
  var archive = ""
  var runs = 5
  var threads = 2
  var function = "shade-velocity"

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    while let word = rest.popFirst() {
      switch word {
      case "--runs": runs = Int(rest.popFirst() ?? "") ?? runs
      case "--threads": threads = Int(rest.popFirst() ?? "") ?? threads
      case "--function": function = rest.popFirst() ?? function
      default: archive = word
      }
    }
    guard !archive.isEmpty else { throw ReplayError(.usage, "bench ARCHIVE [--runs N] [--threads N] [--function F]") }
  }
}
