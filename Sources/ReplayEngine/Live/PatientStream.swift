import ReplayCore

/// What each event of a delivery is recognised by.
public typealias EventSigns = (LiveMessages) throws -> [EventSign]

/// Waits for what a stream says next while a handoff is proved, and not for ever.
public struct PatientStream {
  /// How long a stream may say nothing, unless told otherwise.
  public static let silenceMilliseconds: Int64 = 60_000

  private let source: any LiveSource
  private let silenceMilliseconds: Int64
  private let stop: StopRequest
  private let now: () -> Int64
  private var heard: Int64

  init(_ source: any LiveSource, silenceMilliseconds: Int64, stop: StopRequest, now: @escaping () -> Int64) {
    self.source = source
    self.silenceMilliseconds = silenceMilliseconds
    self.stop = stop
    self.now = now
    heard = now()
  }

  /// It was told what to read just now, which may have taken long.
  mutating func asked() { heard = now() }

  /// Nil where it was asked to stop. `soFar`: what is known, in case the stream says nothing.
  mutating func next(_ soFar: String) throws -> LiveEvent? {
    while !stop.isStopped {
      do {
        if let event = try source.poll(milliseconds: 100) {
          heard = now()
          return event
        }
      } catch let error as LiveError { throw HandoffRun.error(error, of: source) }
      guard now() - heard > silenceMilliseconds else { continue }
      throw ReplayError(
        .unavailable, "the stream says nothing: \(source.name)", details: [soFar],
        effect: HandoffRun.effect, next: "run the same command")
    }
    return nil
  }
}
