import ReplayCore

/// How much one delivery holds at most; a single line may be longer than `bytes`.
struct DeliveryLimits {
  var messages = 4096
  var bytes = 1 << 20
  var lineBytes = 256 << 20
}

/// Where one partition is read: which file, and how far. Whole lines only; nothing is passed over.
final class PartitionReader {
  enum Outcome {
    case messages
    case caughtUp(Position)
    case nothing
  }

  let partition: Partition
  private let directory: String
  private let limits: DeliveryLimits
  /// The files of a directory, in order.
  private let list: (String) throws -> [StreamFile]
  /// The line to be delivered next.
  private var next: UInt64
  /// What an error calls it: the position asked for, as long as nothing was delivered.
  private var wanted: Position
  private var open: StreamDescriptor?
  /// Where line `next` begins in the open file.
  private var byte: UInt64 = 0
  /// The file behind the open one, as far as it was seen.
  private var newer: StreamFile?
  private var isToldToBeAtTheEnd = false

  init(
    _ partition: Partition, at position: Position, directory: String, limits: DeliveryLimits,
    list: @escaping (String) throws -> [StreamFile] = StreamListing.files
  ) {
    self.partition = partition
    self.list = list
    self.directory = directory
    self.limits = limits
    // A sub-index means that the line of this number was read: lines have none.
    let number = min(position.number, WideNumber(low: StreamLayout.positionsEnd))
    next = number.low + (position.index > 0 ? 1 : 0)
    wanted = position
  }

  /// Puts what there is into `messages`. `room` grows to the longest line.
  func deliver(into messages: LiveMessages, room: inout ReadRoom) throws -> Outcome {
    if open != nil, try read(into: messages, &room) { return .messages }
    while true {
      // Listed before the file is read again: a line that a newer file follows is as long as it ever will be.
      let files = try list(directory)
      guard let open = try opened(files) else { return endOutcome }
      newer = files.first { $0.start > open.file.start }
      if try read(into: messages, &room) { return .messages }
      guard try advance(from: open, files) else { return endOutcome }
    }
  }

  private var endOutcome: Outcome {
    if isToldToBeAtTheEnd { return .nothing }
    isToldToBeAtTheEnd = true
    return .caughtUp(Position(next))
  }

  // MARK: From file to file

  /// The file that `next` is in, opened; nil where there is no file and none is needed.
  private func opened(_ listed: [StreamFile]) throws -> StreamDescriptor? {
    if let open { return open }
    var files = listed
    while true {
      guard let first = files.first else {
        if next == 0 { return nil }
        throw LiveError.beyondEnd(partition, wanted: wanted, end: .zero)
      }
      guard let place = files.lastIndex(where: { $0.start <= next }) else {
        throw LiveError.expired(partition, wanted: wanted, start: Position(first.start))
      }
      guard let found = try StreamDescriptor.open(files[place]) else {
        files = try list(directory)
        continue
      }
      try enter(found, newer: place + 1 < files.count ? files[place + 1] : nil)
      return found
    }
  }

  /// Goes to line `next` of the file, which must have it, or end there.
  private func enter(_ found: StreamDescriptor, newer: StreamFile?) throws {
    let skipped = try found.skip(lines: next - found.file.start)
    let end = found.file.start + skipped.lines
    // No stream has what lies beyond all positions.
    if end < next || next > StreamLayout.positionsEnd || wanted.number > WideNumber(low: StreamLayout.positionsEnd) {
      guard let newer else { throw LiveError.beyondEnd(partition, wanted: wanted, end: Position(end)) }
      try checkTorn(found, from: skipped.byte, position: end, newer)
      throw try gap(found.file, end: end, newer)
    }
    (open, byte) = (found, skipped.byte)
  }

  /// Leaves a file that was read to its end for the next one; false where there is none.
  private func advance(from done: StreamDescriptor, _ files: [StreamFile]) throws -> Bool {
    try done.checkName()
    let listed = files.first { $0.start == done.file.start }
    if let listed, listed != done.file { throw StreamFault.replaced(done.file) }
    guard var newer else { return listed == nil ? try isReplacedByNewer(done) : false }
    // A listing is no moment: it may have a file, and not one that was made shortly before it. A second one has both.
    if newer.start > next { newer = try list(directory).first { $0.start > done.file.start } ?? newer }
    try checkTorn(done, from: byte, position: next, newer)
    if newer.start != next { throw try gap(done.file, end: next, newer) }
    open = nil
    return true
  }

  /// The file that was the newest is not listed any more. Listing takes time: a newer one may have come meanwhile.
  private func isReplacedByNewer(_ gone: StreamDescriptor) throws -> Bool {
    guard let last = try list(directory).last else {
      throw LiveError.beyondEnd(partition, wanted: wanted, end: .zero)
    }
    if last.start < gone.file.start { throw StreamFault.vanished(gone.file) }
    return true
  }

  /// Why `newer` does not begin at `end`: retention, where it took the file itself too, else somebody's mistake.
  private func gap(_ file: StreamFile, end: UInt64, _ newer: StreamFile) throws -> any Error {
    // Looked at anew: a listing that retention overtakes may have the file and miss those behind it.
    let files = try list(directory)
    if newer.start > end, let first = files.first, first.start > file.start {
      return LiveError.expired(partition, wanted: wanted, start: Position(first.start))
    }
    return StreamFault.gap(file, end: end, next: newer)
  }

  private func checkTorn(_ file: StreamDescriptor, from byte: UInt64, position: UInt64, _ newer: StreamFile) throws {
    if try file.size() > byte { throw StreamFault.torn(file.file, position: position, byte: byte, next: newer) }
  }

  // MARK: Lines

  /// Delivers whole lines of the open file; false where there is none.
  private func read(into messages: LiveMessages, _ room: inout ReadRoom) throws -> Bool {
    guard let open else { return false }
    let size = try open.size()
    // Only what was delivered counts: a torn line is cut off by the next appender.
    guard size >= byte else { throw StreamFault.shrunk(open.file, read: byte, size: size) }
    if size == byte { return false }
    var part = try room.read(open, at: byte, size: size)
    while part.lineEnd(from: 0) == nil {
      if part.count > limits.lineBytes {
        throw StreamFault.tooLong(open.file, position: next, byte: byte, limit: limits.lineBytes)
      }
      guard part.count == room.count else { return false }
      room.grow()
      part = try room.read(open, at: byte, size: size)
    }
    try take(part, of: open.file, into: messages)
    return true
  }

  private func take(_ part: UnsafeRawBufferPointer, of file: StreamFile, into messages: LiveMessages) throws {
    messages.begin(partition)
    var place = 0
    while messages.count < limits.messages, place < limits.bytes, let end = part.lineEnd(from: place) {
      let line = UnsafeRawBufferPointer(rebasing: part[place..<end])
      let fault: ReplayError? =
        if let newer, newer.start == next {
          StreamFault.overfull(file, next: newer)
        } else if next >= StreamLayout.positionsEnd {
          StreamFault.beyondPositions(file, byte: byte + UInt64(place))
        } else if line.isBlank {
          StreamFault.blank(file, position: next, byte: byte + UInt64(place))
        } else {
          nil
        }
      if let fault {
        // What is before it is good, and goes first.
        if messages.count == 0 { throw fault }
        break
      }
      messages.append(at: Position(next), payload: line)
      next += 1
      place = end + 1
    }
    byte += UInt64(place)
    wanted = Position(next)
    isToldToBeAtTheEnd = false
  }
}

/// Memory that files are read into, one for all partitions of a stream.
struct ReadRoom: ~Copyable {
  private var memory: UnsafeMutableRawBufferPointer

  init(bytes: Int) { memory = .allocate(byteCount: bytes, alignment: 64) }

  deinit { memory.deallocate() }

  var count: Int { memory.count }

  mutating func grow() {
    let bytes = memory.count * 2
    memory.deallocate()
    memory = .allocate(byteCount: bytes, alignment: 64)
  }

  /// The file's bytes from `byte` to `size`, as many as there is room for. Valid until the next call.
  func read(_ file: StreamDescriptor, at byte: UInt64, size: UInt64) throws -> UnsafeRawBufferPointer {
    let wanted = Int(min(UInt64(memory.count), size - byte))
    let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: memory[..<wanted]), at: byte)
    return UnsafeRawBufferPointer(rebasing: memory[..<count])
  }
}
