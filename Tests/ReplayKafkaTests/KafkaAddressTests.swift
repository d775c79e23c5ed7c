import ReplayCore
import ReplayKafka
import Testing

struct KafkaAddressTests {
  @Test func readsBrokersAndTopic() throws {
    let one = try KafkaAddress("kafka://localhost:9092/events")
    #expect(one.brokers == ["localhost:9092"])
    #expect(one.topic == "events")
    let more = try KafkaAddress("kafka://b-1.msk.eu:9094,10.0.0.2:9092,[::1]:9092/retail.item_sold-v2")
    #expect(more.brokers == ["b-1.msk.eu:9094", "10.0.0.2:9092", "[::1]:9092"])
    #expect(more.topic == "retail.item_sold-v2")
    #expect(more.description == "kafka://b-1.msk.eu:9094,10.0.0.2:9092,[::1]:9092/retail.item_sold-v2")
  }

  @Test(arguments: [
    ("http://a:1/t", "does not begin with kafka://"), ("kafka:a:1/t", "does not begin"), ("kafka://", "no topic"),
    ("kafka://a:1", "no topic"), ("kafka://a:1/", "no topic"), ("kafka:///t", "a broker is empty"),
    ("kafka://a:1,/t", "a broker is empty"), ("kafka://a/t", "broker a has no port"),
    ("kafka://[::1]/t", "[::1] has no port"), ("kafka://::1:9092/t", "stands in brackets"),
    ("kafka://a:0/t", "port"), ("kafka://a:65536/t", "port"), ("kafka://a:+1/t", "port"), ("kafka://a:/t", "port"),
    ("kafka://:9092/t", "host"), ("kafka://a b:1/t", "host"), ("kafka://[a]:1/t", "not an IPv6 address"),
    ("kafka://a:1/t/u", "no slash"), ("kafka://a:1/..", "not a topic's name"),
    ("kafka://a:1/täst", "not a topic's name"),
    ("kafka://a:1/t?x=1", "options"), ("kafka://a:1/t#1", "options"),
    ("kafka://a:1/" + String(repeating: "t", count: 250), "not a topic's name"),
  ]) func saysWhatIsWrong(text: String, what: String) throws {
    let error = try #require(throws: ReplayError.self) { try KafkaAddress(text) }
    #expect(error.code == .usage)
    #expect(error.summary.contains(what), "\(error.summary)")
    #expect(error.description.contains("kafka://host:port[,host:port]/topic"))
  }

  @Test func aPasswordInAnAddressIsNotRepeated() throws {
    let error = try #require(throws: ReplayError.self) { try KafkaAddress("kafka://me:hunter2@a:1/t") }
    #expect(!error.description.contains("hunter2"))
    #expect(error.next?.contains("sasl.password") == true)
  }
}
