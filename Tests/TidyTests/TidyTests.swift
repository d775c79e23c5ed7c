import Foundation
import Testing

/// The house itself: what may import what, how long a file may be, and that the documents name what exists.
struct TidyTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static func files(_ folder: String, _ endings: [String]) -> [URL] {
    let found = FileManager.default.enumerator(at: root.appending(path: folder), includingPropertiesForKeys: nil)
    return (found?.allObjects as? [URL] ?? []).filter { endings.contains($0.pathExtension) }
  }

  static func lines(_ file: URL) throws -> [String] {
    try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
  }

  static let system: Set<String> = ["Glibc", "Musl", "Darwin", "Synchronization"]
  static let mayImport: [String: Set<String>] = [
    "ReplayCore": [], "ReplayArchive": ["ReplayCore"],
    "ReplayDecode": ["ReplayCore", "CDecode", "CZstd", "CISAL"], "ReplayEngine": ["ReplayCore"],
    "ReplaySQL": ["ReplayCore"], "ReplaySQLite": ["ReplayCore", "ReplaySQL", "CSQLite"],
    "ReplayPostgres": ["ReplayCore", "ReplaySQL", "CPQ"], "ReplayDirectory": ["ReplayCore"],
    "ReplayKafka": ["ReplayCore", "CKafka"], "ReplayHTTP": ["ReplayCore", "CMicroHTTPD"],
    "ReplayFunctions": ["ReplayCore", "CChild", "CCurl", "CMicroHTTPD"], "RetailProjections": ["ReplayCore"],
    "ReplayTesting": ["ReplayCore", "ReplayDecode", "CZlib", "CZstd"],
    "Replay": ["ReplayCore", "ReplayCommands"],
  ]

  @Test(arguments: mayImport.keys.sorted()) func roomsImportWhatTheyMay(room: String) throws {
    let allowed = try #require(TidyTests.mayImport[room]).union(TidyTests.system)
    let files = TidyTests.files("Sources/\(room)", ["swift"])
    #expect(!files.isEmpty)
    for file in files {
      for line in try TidyTests.lines(file) {
        let words = line.split(separator: " ").map(String.init)
        guard let place = words.firstIndex(of: "import"), place <= 1, place + 1 < words.count else { continue }
        if place == 1, !words[0].hasPrefix("@") { continue }
        #expect(allowed.contains(words[place + 1]), "\(file.lastPathComponent) imports \(words[place + 1])")
      }
    }
  }

  @Test func noFileIsTooLong() throws {
    for folder in ["Sources", "Tests", "Benchmarks/Peers", "Benchmarks/Live", "Benchmarks/PostgreSQL"] {
      for file in TidyTests.files(folder, ["swift", "cpp", "hpp", "h", "py"]) {
        #expect(try TidyTests.lines(file).count <= 500, "\(file.path)")
      }
    }
  }

  @Test(arguments: ["README.md", "CONTRIBUTING.md"]) func pathsInTheDocumentsExist(document: String) throws {
    let text = try String(contentsOf: TidyTests.root.appending(path: document), encoding: .utf8)
    let pattern = /`((?:Sources|Tests|Benchmarks|fixtures|scripts)\/[^` ]*)`/
    for match in text.matches(of: pattern) {
      let path = String(match.1)
      #expect(FileManager.default.fileExists(atPath: TidyTests.root.appending(path: path).path), "\(document): \(path)")
    }
  }

  @Test func whatTheCompilerCannotCheckHasItsReasonBesideIt() throws {
    for file in TidyTests.files("Sources", ["swift"]) {
      let lines = try TidyTests.lines(file)
      for (number, line) in lines.enumerated() {
        let isCode = !line.trimmingCharacters(in: .whitespaces).hasPrefix("//")
        guard isCode, line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") else { continue }
        let near = lines[max(0, number - 8)..<min(lines.count, number + 8)]
        #expect(near.contains { $0.contains("//") }, "\(file.lastPathComponent):\(number + 1)")
      }
    }
  }

  /// The example of the README is the bundled function, and at most 40 lines.
  @Test func theReadmesExampleIsTheRealOne() throws {
    let text = try String(contentsOf: TidyTests.root.appending(path: "README.md"), encoding: .utf8)
    let block = try #require(
      text.components(separatedBy: "```swift\n").dropFirst().first?.components(separatedBy: "```").first)
    let source = try TidyTests.lines(TidyTests.root.appending(path: "Sources/RetailProjections/ShadeVelocity.swift"))
    let example = block.components(separatedBy: "\n").filter { !$0.isEmpty && !$0.hasPrefix("import") }
    for line in example { #expect(source.contains(line), "\(line)") }
    #expect(example.count <= 40)
  }
}
