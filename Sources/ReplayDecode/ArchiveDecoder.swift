import CDecode
import ReplayCore

/// The `Decoder` for archives of JSON in gzip, zstd or plain files.
public struct ArchiveDecoder: Decoder {
  public let extraction: Extraction
  public let framing: Framing?
  public let limits: DecodeLimits
  public let dropDuplicates: Bool
  /// What idle threads can do for the segments that are open.
  public let ahead: ReadAhead
  private let extractors: Extractors

  /// `framing` nil: each file's content decides.
  public init(
    _ extraction: Extraction, framing: Framing? = nil, limits: DecodeLimits = DecodeLimits(),
    dropDuplicates: Bool = false, ahead: ReadAhead = ReadAhead()
  ) {
    self.extraction = extraction
    self.framing = framing
    self.limits = limits
    self.dropDuplicates = dropDuplicates
    self.ahead = ahead
    extractors = Extractors { Extractor(extraction, limits: limits, dropDuplicates: dropDuplicates) }
  }

  public func open(_ segment: Segment, in source: any SegmentSource, range: SegmentRange) throws
    -> any SegmentDecoder
  {
    if extraction.anatomy.payloadEncoding == .hex {
      return try HexBlocks(segment, in: source, range: range, self)
    }
    let blocks = try SegmentBlocks(
      segment, in: source, range: range,
      extractors: extractors, framing: framing, limits: limits, ahead: ahead)
    if case .place = segment.numbering { blocks.idColumn = extraction.idColumn }
    blocks.partitionColumn = extraction.partitionColumn
    if let keys = segment.keysEntry, extraction.keyColumn >= 0 {
      blocks.beside.append((try LineFile(.keys, keys, in: source, limits: limits), extraction.keyColumn))
    }
    if let headers = segment.headersEntry, extraction.headersColumn >= 0 {
      blocks.beside.append((try LineFile(.headers, headers, in: source, limits: limits), extraction.headersColumn))
    }
    return blocks
  }

  public func makeBlock(for segment: Segment) -> RecordBlock { RecordBlock(segment: segment) }

  public func help() -> Bool { ahead.help() }

  /// The JSON kernel that this processor got.
  public static var kernel: String { String(cString: replay_kernel()) }
}
