import CKafka
import Glibc
import Synchronization

/// The end of a librdkafka client, on a thread of its own and waited for within a limit: librdkafka 2.0 waits for ever
/// for a broker's thread where a topic that was read has been deleted. Then the thread is left to the process's end.
///
/// `@unchecked Sendable`: the handle is handed over; nobody else uses it any more.
final class KafkaEnd: @unchecked Sendable {
  private let handle: OpaquePointer
  /// librdkafka's threads speak to it until they have ended.
  private let trouble: KafkaTrouble

  private let isOver = Atomic<Bool>(false)

  private init(_ handle: OpaquePointer, _ trouble: KafkaTrouble) {
    self.handle = handle
    self.trouble = trouble
  }

  static func of(_ handle: OpaquePointer, _ trouble: KafkaTrouble, within limit: Duration) {
    let end = KafkaEnd(handle, trouble)
    var thread = pthread_t()
    let held = Unmanaged.passRetained(end)
    let code = pthread_create(
      &thread, nil,
      { raw in
        // Retained for this thread, which thus keeps `trouble`.
        let end = Unmanaged<KafkaEnd>.fromOpaque(raw!).takeRetainedValue()
        rd_kafka_consumer_close(end.handle)
        rd_kafka_destroy(end.handle)
        end.isOver.store(true, ordering: .releasing)
        return nil
      }, held.toOpaque())
    guard code == 0 else { return }  // Out of threads: the handle stays, and `held` with it.
    pthread_detach(thread)
    let deadline = ContinuousClock.now + limit
    while !end.isOver.load(ordering: .acquiring), .now < deadline { usleep(1000) }
  }
}
