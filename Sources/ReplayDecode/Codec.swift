import ReplayCore

/// How a file is compressed: told by its first bytes, never by its name.
public enum Codec: String, Sendable, CaseIterable {
  case gzip
  case zstd
  case none

  /// What the bytes at a frame's start say. Four bytes decide; fewer may only look like `none`.
  init(magic bytes: UnsafeRawBufferPointer) {
    if bytes.count >= 2, bytes[0] == 0x1f, bytes[1] == 0x8b {
      self = .gzip
    } else if bytes.count >= 4, Codec.isZstd(bytes) || Codec.isSkippable(bytes) {
      self = .zstd
    } else {
      self = .none
    }
  }

  static func isZstd(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 4 && bytes[0] == 0x28 && bytes[1] == 0xb5 && bytes[2] == 0x2f && bytes[3] == 0xfd
  }

  /// A zstd skippable frame: 0x184D2A50 to 0x184D2A5F, then its length.
  static func isSkippable(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 4 && bytes[0] & 0xf0 == 0x50 && bytes[1] == 0x2a && bytes[2] == 0x4d && bytes[3] == 0x18
  }

  /// The word for one independently decompressible piece.
  var frameName: String { self == .gzip ? "gzip member" : "zstd frame" }
}

/// What became of one step of decompression.
enum InflateStep {
  case needsInput
  case outputFull
  case frameEnded
}

/// What is wrong with a frame; the stream adds the place.
struct FrameFault: Error {
  let what: String
  var next: String?
}

/// One codec's frame decompressor. Consumes from the front of `input`, writes to the front of `output`.
protocol Inflater: AnyObject {
  /// Begins a frame; `header` is its first bytes, as far as they are at hand.
  func begin(header: UnsafeRawBufferPointer) throws(FrameFault)
  /// Throws `FrameFault` where the bytes are not what the codec says, its checksum included.
  func step(_ input: inout UnsafeRawBufferPointer, _ output: inout UnsafeMutableRawBufferPointer)
    throws(FrameFault) -> InflateStep
  var frameHasChecksum: Bool { get }
}
