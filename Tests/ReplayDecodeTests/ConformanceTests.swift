import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The public contracts, held against the implementations at hand.
@Suite struct ConformanceTests {
  @Test(arguments: DecoderConformance.all) func archiveDecoder(_ one: DecoderConformance.Case) throws {
    try one.run { ArchiveDecoder($0) }
    var small = DecodeLimits()
    small.blockBytes = 1 << 10
    try one.run { [small] in ArchiveDecoder($0, limits: small) }
  }

  @Test(arguments: SegmentSourceConformance.all) func memoryArchive(_ one: SegmentSourceConformance.Case) throws {
    for reads in readSizes { try one.run { MemoryArchive($0, reads: reads) } }
  }

  @Test(arguments: SegmentSourceConformance.all) func directorySource(_ one: SegmentSourceConformance.Case) throws {
    var made: [String] = []
    defer { for path in made.reversed() { _ = remove(path) } }
    try one.run { DirectorySource(try ArchiveLocation.find(try directory($0, &made))) }
  }

  /// A source that loses the last file, the last byte or the check of the version must fail a case.
  @Test(arguments: WrongSource.Fault.allCases) func findsWrongSources(_ fault: WrongSource.Fault) {
    let failed = SegmentSourceConformance.all.filter { one in
      do { try one.run { WrongSource(fault: fault, archive: MemoryArchive($0)) } } catch { return true }
      return false
    }
    #expect(!failed.isEmpty)
  }

  /// Writes the files below a new directory, and notes all that was made, the outermost first.
  private func directory(_ files: [String: [UInt8]], _ made: inout [String]) throws -> String {
    var template = Array("/tmp/replay-source-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ReplayError(.cannotCreate, "no temporary directory") }
    let root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    made.append(root)
    for (name, bytes) in files {
      var path = root
      for part in name.split(separator: "/").dropLast() {
        path += "/" + part
        if mkdir(path, 0o755) == 0 { made.append(path) }
      }
      let descriptor = open(root + "/" + name, O_WRONLY | O_CREAT, 0o644)
      made.append(root + "/" + name)
      guard descriptor >= 0, write(descriptor, bytes, bytes.count) == bytes.count else {
        throw ReplayError(.cannotCreate, "cannot write \(name)")
      }
      close(descriptor)
    }
    return root
  }
}

/// A source that does one thing wrong.
struct WrongSource: SegmentSource {
  enum Fault: CaseIterable { case losesFile, losesByte, ignoresVersion }
  let fault: Fault
  let archive: MemoryArchive

  var name: String { archive.name }

  func list() throws -> [SegmentEntry] {
    fault == .losesFile ? try archive.list().dropLast() : try archive.list()
  }

  func open(_ entry: SegmentEntry) throws -> any SegmentReader {
    guard fault != .ignoresVersion, fault != .losesByte else {
      var shorter = archive
      if fault == .losesByte { shorter.files[entry.name]?.removeLast() }
      guard let now = shorter.entry(entry.name) else { throw ReplayError(.missing, "gone") }
      return try shorter.open(now)
    }
    return try archive.open(entry)
  }
}
