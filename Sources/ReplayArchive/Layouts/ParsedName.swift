import ReplayCore

/// What a layout reads out of one segment's name.
public struct ParsedName: Hashable, Sendable {
  /// The topic or stream; empty where the name does not say.
  public var topic: String
  /// The source's own partition, without padding; `ParsedName.whole` where the layout has none.
  public var partition: String
  /// Number of the first record.
  public var first: WideNumber?
  /// Number of the last record.
  public var last: WideNumber?
  /// The segment's place, where the layout makes one from the name (Firehose, GH Archive).
  public var place: WideNumber?
  /// The time as it stands in the name; orders names that carry no number.
  public var time: String?

  /// The one partition of an archive that has no partitions.
  public static let whole = "all"

  public init(
    topic: String = "", partition: String = ParsedName.whole, first: WideNumber? = nil, last: WideNumber? = nil,
    place: WideNumber? = nil, time: String? = nil
  ) {
    self.topic = topic
    self.partition = partition
    self.first = first
    self.last = last
    self.place = place
    self.time = time
  }
}

/// What a name is, to one layout.
public enum NameReading: Hashable, Sendable {
  case segment(ParsedName)
  /// The partition keys of the segment with this stem (Confluent).
  case keys(stem: String)
  /// The headers of the segment with this stem (Confluent).
  case headers(stem: String)
  /// A description of the archive by its writer (kcr); never read.
  case manifest
  /// Of this layout, but it cannot be replayed; the text says why.
  case refused(String)
  /// Not a name of this layout.
  case foreign
}
