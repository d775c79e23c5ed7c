import ReplayCore

/// An archive without a disk: named files of bytes, handed out in reads of any size, with faults on demand.
public struct MemoryArchive: SegmentSource {
  /// How many bytes a read gives.
  public enum ReadSizes: Sendable, Hashable {
    case whole
    /// Exactly as many, but for the last read.
    case fixed(Int)
    /// 1 to `limit`, by chance; the same for the same seed.
    case random(seed: UInt64, limit: Int)
  }

  /// What goes wrong with one file.
  public enum Fault: Sendable, Hashable {
    /// The device answers with an error instead of this byte.
    case fails(atByte: Int)
    /// Another writer replaces the file when this byte is read.
    case changes(atByte: Int)
  }

  public let name: String
  public var files: [String: [UInt8]]
  public var reads: ReadSizes
  public var faults: [String: Fault] = [:]

  public init(_ files: [String: [UInt8]] = [:], reads: ReadSizes = .whole, name: String = "memory") {
    self.files = files
    self.reads = reads
    self.name = name
  }

  public func list() throws -> [SegmentEntry] { files.keys.sorted().compactMap(entry) }

  /// What the listing says of one file; nil where there is none of that name.
  public func entry(_ name: String) -> SegmentEntry? {
    files[name].map { bytes in
      let version = bytes.withUnsafeBytes { String(KeyHash.hash(Text($0)), radix: 16) }
      return SegmentEntry(name: name, size: UInt64(bytes.count), version: version)
    }
  }

  public func open(_ entry: SegmentEntry) throws -> any SegmentReader {
    guard let now = self.entry(entry.name), let bytes = files[entry.name] else {
      throw ReplayError(.missing, "no such archive file: \(entry.name)")
    }
    guard now == entry else { throw MemoryArchive.changed(entry.name) }
    return MemoryReader(entry.name, bytes, reads, faults[entry.name])
  }

  static func changed(_ name: String) -> ReplayError {
    ReplayError(.data, "archive file changed since it was listed: \(name)")
  }
}

/// Reads from a copy, and spoils what the call before had lent: whoever keeps it finds nothing good there.
final class MemoryReader: SegmentReader {
  private let name: String
  private let bytes: [UInt8]
  private let fault: MemoryArchive.Fault?
  private let sizes: MemoryArchive.ReadSizes
  private var random: SplitMix64
  private var taken = 0
  private var lent = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var spoiled = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  init(_ name: String, _ bytes: [UInt8], _ sizes: MemoryArchive.ReadSizes, _ fault: MemoryArchive.Fault?) {
    self.name = name
    self.bytes = bytes
    self.sizes = sizes
    self.fault = fault
    if case .random(let seed, _) = sizes { random = SplitMix64(seed: seed) } else { random = SplitMix64(seed: 0) }
  }

  deinit {
    lent.deallocate()
    spoiled.deallocate()
  }

  func next() throws -> UnsafeRawBufferPointer {
    spoiled.deallocate()
    spoiled = lent
    lent = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    _ = spoiled.initializeMemory(as: UInt8.self, repeating: 0xdb)
    var count = min(size(), bytes.count - taken)
    switch fault {
    case .fails(let byte):
      if taken >= byte {
        throw ReplayError(.unavailable, "cannot read archive file: \(name)", details: ["byte \(byte)"])
      }
      count = min(count, byte - taken)
    case .changes(let byte):
      if taken >= byte { throw MemoryArchive.changed(name) }
      count = min(count, byte - taken)
    case nil: break
    }
    lent = .allocate(byteCount: max(1, count), alignment: 1)
    lent.copyBytes(from: bytes[taken..<taken + count])
    taken += count
    return UnsafeRawBufferPointer(rebasing: lent[..<count])
  }

  private func size() -> Int {
    switch sizes {
    case .whole: bytes.count
    case .fixed(let size): size
    case .random(_, let limit): random.number(1...limit)
    }
  }
}
