import CKafka

/// Kafka brokers in memory that other processes can reach over TCP (librdkafka's mock cluster). A partition keeps 5 MiB or
/// 100,000 batches, whichever is less; what is older passes retention. A topic that is asked for comes to be, with four partitions. No TLS, transactions without effect, no lookup by
/// time, no groups but their offsets.
///
/// `@unchecked Sendable`: both handles are constants, and librdkafka locks behind every call.
public final class MockCluster: @unchecked Sendable {
  /// Kafka's own error codes.
  public typealias ErrorCode = rd_kafka_resp_err_t

  /// Owned; destroyed in this order.
  private let cluster: OpaquePointer
  private let handle: OpaquePointer

  public init(brokers: Int32 = 1) throws {
    let configuration = rd_kafka_conf_new()!
    rd_kafka_conf_set_log_cb(configuration) { _, _, _, _ in }
    guard let handle = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0) else {
      rd_kafka_conf_destroy(configuration)
      throw MockError("no handle")
    }
    guard let cluster = rd_kafka_mock_cluster_new(handle, brokers) else {
      rd_kafka_destroy(handle)
      throw MockError("no cluster")
    }
    (self.handle, self.cluster) = (handle, cluster)
  }

  deinit {
    rd_kafka_mock_cluster_destroy(cluster)
    rd_kafka_destroy(handle)
  }

  /// `127.0.0.1:port`, with a comma between brokers.
  public var bootstraps: String { String(cString: rd_kafka_mock_cluster_bootstraps(cluster)) }

  public func create(_ topic: String, partitions: Int32) throws {
    try check(rd_kafka_mock_topic_create(cluster, topic, partitions, 1), "create \(topic)")
  }

  /// Brokers are numbered from 1. One that is down refuses connections; what it has stays.
  public func down(_ broker: Int32) throws { try check(rd_kafka_mock_broker_set_down(cluster, broker), "down") }
  public func up(_ broker: Int32) throws { try check(rd_kafka_mock_broker_set_up(cluster, broker), "up") }
  public func lead(_ topic: String, _ partition: Int32, by broker: Int32) throws {
    try check(rd_kafka_mock_partition_set_leader(cluster, topic, partition, broker), "leader")
  }

  /// Every answer of the broker comes so much later.
  public func delay(_ broker: Int32, milliseconds: Int32) throws {
    try check(rd_kafka_mock_broker_set_rtt(cluster, broker, milliseconds), "delay")
  }

  /// The next requests of this kind (0 Produce, 1 Fetch, 2 ListOffsets, 3 Metadata, …) fail so, one after another.
  public func fail(request: Int16, _ errors: [rd_kafka_resp_err_t]) {
    rd_kafka_mock_push_request_errors_array(cluster, request, errors.count, errors)
  }

  /// What metadata say of the topic from now on.
  public func setError(_ topic: String, _ error: rd_kafka_resp_err_t) {
    rd_kafka_mock_topic_set_error(cluster, topic, error)
  }

  private func check(_ code: rd_kafka_resp_err_t, _ what: String) throws {
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw MockError("\(what): \(String(cString: rd_kafka_err2str(code)))") }
  }
}

public struct MockError: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
