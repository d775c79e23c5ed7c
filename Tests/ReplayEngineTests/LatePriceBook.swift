import ReplayCore
import Testing

/// Says of a bad event only once it is asked to settle, and does not leave it itself.
struct LatePriceBook: Projection {
  /// What comes to an event before it is applied, as a worker takes its time.
  struct Visit {
    let lane: Int
    let customer: String
    let position: Position
    let isCancelled: @Sendable () -> Bool
  }
  struct Cancelled: Error {}

  private let inner: PriceBook
  private let visit: @Sendable (Visit) -> Void
  private(set) var reads: Reads
  private let record: RecordField
  let hasSessions = true

  init(_ kind: PriceBook.Kind = .keyed, visit: @escaping @Sendable (Visit) -> Void = { _ in }) {
    inner = PriceBook(kind)
    self.visit = visit
    reads = inner.reads
    record = reads.record()
  }

  var name: String { inner.name }
  var tables: [any Table] { inner.tables }

  func apply(_ batch: Batch, _ changes: Changes) throws {}

  func session(lane: Int) throws -> (any FunctionSession)? {
    Session(inner, record, lane, visit)
  }

  private final class Session: FunctionSession {
    private let inner: PriceBook
    private let record: RecordField
    private let lane: Int
    private let visit: @Sendable (Visit) -> Void
    private let isCancelled = Monitor(false)
    private var keys = KeyRange.all
    private var fault: EventFault?
    var heldBytes: Int { 0 }

    init(_ inner: PriceBook, _ record: RecordField, _ lane: Int, _ visit: @escaping @Sendable (Visit) -> Void) {
      (self.inner, self.record, self.lane, self.visit) = (inner, record, lane, visit)
    }

    func begin(_ log: DeliveryLog, keys range: KeyRange) { keys = range }
    func cancel() { isCancelled.change { $0 = true } }

    func apply(_ batch: Batch, _ changes: Changes, _ left: LeftEvents) throws {
      for event in batch {
        if left.isParked(try event.key) {
          left.queue(event.place, key: Array(try event.key.bytes), record: Array(event[record].bytes))
          continue
        }
        let key = try event.key
        #expect((keys.first...keys.last).contains(key.keyHash), "an event of another lane's key")
        let flag = isCancelled
        visit(
          Visit(lane: lane, customer: "\(key)", position: event.place.position) { flag.quietly { $0 } })
        if flag.quietly({ $0 }) { throw Cancelled() }
        do { try inner.apply(event, changes) } catch {
          fault = fault ?? EventFault(place: event.place, reasons: ["\(error)"])
        }
      }
    }

    func settle(_ changes: Changes, _ left: LeftEvents) throws {
      if let fault { throw fault }
    }

    func abandon() {
      fault = nil
      isCancelled.change { $0 = false }
    }
  }
}
