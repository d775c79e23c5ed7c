import ReplayCore
import Testing

@testable import ReplayDirectory

/// A listing is no moment: what is made while it is read may be in it or not, whatever came first. Found by the soak, once
/// in 800,000 events.
struct ListingTests {
  private let scratch = Scratch()

  /// Reads until the end is told, where the first listings lack what `missed` says.
  private func lines(missed: [UInt64], times: Int) throws -> [String] {
    let directory = scratch.path + "/partition=0"
    var listings = 0
    let reader = PartitionReader(
      Partition(log: "t", side: .live, id: "0"), at: .zero, directory: directory, limits: DeliveryLimits(),
      list: { directory in
        listings += 1
        return try StreamListing.files(in: directory).filter { listings > times || !missed.contains($0.start) }
      })
    var found: [String] = []
    var room = ReadRoom(bytes: 1 << 10)
    while true {
      let messages = LiveMessages(partition: reader.partition)
      guard case .messages = try reader.deliver(into: messages, room: &room) else { return found }
      for message in messages.messages {
        found.append(String(decoding: messages.bytes[message.payload ?? 0..<0], as: UTF8.self))
      }
    }
  }

  @Test func aFileThatAListingMissedIsNoHole() throws {
    for (name, content) in [("0", "a\nb\n"), ("2", "c\n"), ("3", "d\ne\n")] {
      try scratch.write(content, "0", name + ".jsonl")
    }
    // The first file is read by the first listing; the second one has the third file, and not the second.
    for times in 1...2 {
      #expect(try lines(missed: [2], times: times) == ["a", "b", "c", "d", "e"])
    }
  }

  @Test func aFileThatIsMissingIsStillAHole() throws {
    for (name, content) in [("0", "a\nb\n"), ("3", "d\ne\n")] { try scratch.write(content, "0", name + ".jsonl") }
    let error = #expect(throws: ReplayError.self) { try lines(missed: [], times: 0) }
    #expect("\(error as Any)".contains("hole between two files"))
  }
}
