/// Where an archive's files are: a directory now, an object store later.
public protocol SegmentSource: Sendable {
  /// What to call the archive in messages.
  var name: String { get }
  /// The complete listing, in no order. Never a part of it: an interrupted listing is an error.
  func list() throws -> [SegmentEntry]
  /// Opens a file for reading from the start. Fails where it is no longer the version that was listed.
  func open(_ entry: SegmentEntry) throws -> any SegmentReader
}

/// One open file, read from its start to its end.
public protocol SegmentReader: AnyObject {
  /// The next bytes of the file; empty at the end. Valid until the next call.
  func next() throws -> UnsafeRawBufferPointer
}
