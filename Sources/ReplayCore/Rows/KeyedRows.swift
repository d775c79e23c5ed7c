/// One lane's rows of a keyed table: the open epoch's changes, what is being committed, and a cache of what was loaded,
/// in one place. A key is found here or in the store, never in both.
///
/// Unsafe pointers, for the reason given at `MergedRows`.
public final class KeyedRows {
  @usableFromInline struct Entry {
    var hash: UInt64
    var key: Cell
    var rows: UnsafeMutablePointer<Cell>?
    var count: Int32 = 0
    var capacity: Int32 = 0
    /// Rows of this key that the store holds, or will once the running commit is done.
    var stored: Int32 = 0
    /// The partition that the key's events come from; `unknown` for rows that were loaded.
    var partition: UInt32
    var isDirty = false
    /// The batch that it was remembered for last. Makes an entry as many bytes as a line of the processor's cache.
    var remembered: UInt64 = 0

    static func allocate(_ count: Int) -> UnsafeMutablePointer<Entry> {
      let bytes = count * MemoryLayout<Entry>.stride
      return UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64).bindMemory(
        to: Entry.self, capacity: count)
    }
  }

  /// Events of one key come from two partitions, whose positions cannot be compared: they have no one order.
  public struct KeyInTwoPartitions: Error {
    /// Places in the plan.
    public let first: Int
    public let second: Int
  }

  private static let unknown = UInt32.max

  public let schema: TableSchema
  let isRanked: Bool
  /// Key columns behind the partition key that a row keeps in memory: none where the rank is a row's place.
  @usableFromInline let subkeyCount: Int
  /// Cells a row in memory: its subkeys, its values.
  let width: Int
  // Unchecked, for the reason given at `MergedRows`.
  @exclusivity(unchecked) private var entries: UnsafeMutablePointer<Entry>
  @exclusivity(unchecked) private var slots: UnsafeMutablePointer<UInt32>
  @exclusivity(unchecked) private var mask: Int
  @exclusivity(unchecked) private var capacity: Int
  @exclusivity(unchecked) public private(set) var count = 0
  @exclusivity(unchecked) @usableFromInline private(set) var arena = Arena()
  @exclusivity(unchecked) private var memory = RowMemory()
  @exclusivity(unchecked) private var dirty: [UInt32] = []
  /// Keys above which a table no longer fits the processor's cache, about.
  private static let warmAbove = 4096
  /// Slots of the batch that is being warmed; and a sum of what was touched, so that the touching is not optimised away.
  @exclusivity(unchecked) private var warming: [UInt32] = []
  @exclusivity(unchecked) private var warmth: UInt64 = 0
  @exclusivity(unchecked) private var deleted: [(entry: UInt32, subkeys: [Cell])] = []
  private var memo = Memo()
  /// Hashes of keys first seen since the last snapshot.
  @exclusivity(unchecked) public private(set) var newKeyHashes: [UInt64] = []

  public init(_ schema: TableSchema) {
    self.schema = schema
    isRanked = schema.isRanked
    subkeyCount = schema.isRanked ? 0 : schema.keys.count - 1
    width = subkeyCount + schema.values.count
    capacity = 256
    mask = 511
    entries = Entry.allocate(capacity)
    slots = .allocate(capacity: mask + 1)
    slots.initialize(repeating: 0, count: mask + 1)
  }

  deinit { release() }

  /// Memory held, in bytes.
  public var byteCount: Int {
    capacity * MemoryLayout<Entry>.stride + (mask + 1) * 4 + arena.byteCount + memory.byteCount
  }

  /// Memory of the rows that changed since the last snapshot, in bytes, about.
  @exclusivity(unchecked) public private(set) var changedBytes = 0

  /// The rows of the event's partition key. Valid until the next key is asked for.
  public subscript(event: Event) -> KeyRows {
    get throws {
      let partition = event.block._withUnsafeGuaranteedRef { $0.partitionIndex(of: event.record) }
      return try rows(of: event.key, in: partition)
    }
  }

  /// The rows of a partition key whose events come from the plan's partition `partition`. Valid until the next key is
  /// asked for.
  public func rows(of key: Text, in partition: UInt32) throws -> KeyRows {
    let index = entryIndex(key, in: partition)
    let known = entries[index].partition
    if known != partition {
      guard known == KeyedRows.unknown else { throw KeyInTwoPartitions(first: Int(known), second: Int(partition)) }
      entries[index].partition = partition
    }
    return KeyRows(owner: .passUnretained(self), entry: index)
  }

  /// True where the key's rows are already here.
  public func holds(_ key: Text) -> Bool {
    let hash = key.keyHash
    return slots[slot(of: key, hash)] != 0
  }

  /// Touches what the batch's keys will need, all slots, then all entries, then all rows: so the processor waits for
  /// memory once for many keys and not three times for each. For tables that are larger than its cache.
  public func warm(_ batch: Batch) {
    guard count > KeyedRows.warmAbove else { return }
    warming.removeAll(keepingCapacity: true)
    for event in batch {
      guard let key = try? event.key else { continue }
      warming.append(slots[Int(truncatingIfNeeded: key.keyHash) & mask])
    }
    var touched: UInt64 = 0
    for slot in warming where slot != 0 { touched &+= entries[Int(slot - 1)].hash }
    for slot in warming where slot != 0 {
      let entry = entries + Int(slot - 1)
      guard let rows = entry.pointee.rows else { continue }
      let cells = Int(entry.pointee.count) * width
      // One cell in each line of 64 bytes.
      for cell in stride(from: 0, to: cells, by: 4) { touched &+= rows[cell].low }
    }
    warmth &+= touched
  }

  /// Takes in the rows of a key that the store returned: `rows` in key order, each `width` cells, or none.
  public func adopt(_ key: Text, rows: [[Cell]]) {
    let index = entryIndex(key, in: KeyedRows.unknown)
    precondition(entries[index].count == 0, "a key is loaded once")
    reserve(index, rows.count)
    for (place, row) in rows.enumerated() {
      for column in 0..<width { (entries[index].rows.unsafelyUnwrapped + place * width)[column] = row[column] }
    }
    entries[index].count = Int32(rows.count)
    entries[index].stored = Int32(rows.count)
  }

  /// Where a loaded text may be kept.
  public var loadingArena: Arena { arena }

  private func slot(of key: Text, _ hash: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let entry = entries + Int(slots[slot] - 1)
      if entry.pointee.hash == hash && entry.pointee.key.equals(key) { break }
      slot = (slot + 1) & mask
    }
    return slot
  }

  private func entryIndex(_ key: Text, in partition: UInt32) -> Int {
    let hash = key.keyHash
    var place = slot(of: key, hash)
    if slots[place] != 0 { return Int(slots[place] - 1) }
    if count == capacity {
      grow()
      place = slot(of: key, hash)
    }
    (entries + count).initialize(to: Entry(hash: hash, key: Cell(key, in: arena), partition: partition))
    slots[place] = UInt32(count + 1)
    newKeyHashes.append(hash)
    count += 1
    return count - 1
  }

  private func grow() {
    let wider = Entry.allocate(capacity * 2)
    wider.moveInitialize(from: entries, count: count)
    UnsafeMutableRawPointer(entries).deallocate()
    entries = wider
    capacity *= 2
    slots.deallocate()
    mask = mask * 2 + 1
    slots = .allocate(capacity: mask + 1)
    slots.initialize(repeating: 0, count: mask + 1)
    for index in 0..<count {
      var slot = Int(truncatingIfNeeded: entries[index].hash) & mask
      while slots[slot] != 0 { slot = (slot + 1) & mask }
      slots[slot] = UInt32(index + 1)
    }
  }

  private func reserve(_ index: Int, _ rowCount: Int) {
    guard rowCount > Int(entries[index].capacity) else { return }
    let wanted = max(rowCount, Int(entries[index].capacity) + max(4, Int(entries[index].capacity) / 2))
    let wider = memory.take(wanted * width)
    if let rows = entries[index].rows {
      wider.moveInitialize(from: rows, count: Int(entries[index].count) * width)
      memory.giveBack(rows, Int(entries[index].capacity) * width)
    }
    entries[index].rows = wider
    entries[index].capacity = Int32(wanted)
  }

  private func release() {
    UnsafeMutableRawPointer(entries).deallocate()
    slots.deallocate()
  }

  /// Forgets every row, so that keys are loaded from the store when they come again. Only after all changes are
  /// committed.
  public func forget() {
    precondition(dirty.isEmpty, "rows with changes cannot be forgotten")
    release()
    arena = Arena()
    count = 0
    memory = RowMemory()
    capacity = 256
    mask = 511
    entries = Entry.allocate(capacity)
    slots = .allocate(capacity: mask + 1)
    slots.initialize(repeating: 0, count: mask + 1)
  }

  // MARK: What `KeyRows` does to one key's rows

  func rowCount(_ index: Int) -> Int { Int(entries[index].count) }

  func row(_ index: Int, _ place: Int) -> UnsafeMutablePointer<Cell> {
    precondition(place >= 0 && place < Int(entries[index].count), "no row at this place")
    return entries[index].rows.unsafelyUnwrapped + place * width
  }

  /// Where the key's rows lie; nothing may be read there if it has none.
  func rows(_ index: Int) -> UnsafeMutablePointer<Cell> {
    entries[index].rows ?? UnsafeMutablePointer(mutating: Text.nothing.assumingMemoryBound(to: Cell.self))
  }

  @usableFromInline func touch(_ index: Int) {
    if entries[index].isDirty { return }
    entries[index].isDirty = true
    changedBytes += MemoryLayout<Entry>.stride + Int(entries[index].capacity) * width * MemoryLayout<Cell>.stride
    dirty.append(UInt32(index))
  }

  func insertRow(_ index: Int, at place: Int) -> UnsafeMutablePointer<Cell> {
    let count = Int(entries[index].count)
    precondition(place >= 0 && place <= count, "rows have no gaps")
    reserve(index, count + 1)
    let row = entries[index].rows.unsafelyUnwrapped + place * width
    (row + width).update(from: row, count: (count - place) * width)
    row.initialize(repeating: .null, count: width)
    entries[index].count += 1
    touch(index)
    return row
  }

  func removeRow(_ index: Int, at place: Int) {
    let row = row(index, place)
    let count = Int(entries[index].count)
    if subkeyCount > 0 || !isRanked {
      deleted.append((UInt32(index), (0..<subkeyCount).map { row[$0] }))
    }
    row.update(from: row + width, count: (count - place - 1) * width)
    entries[index].count -= 1
    touch(index)
  }

  // MARK: Taking back

  /// The rows of a batch's keys as they were before it.
  private struct Memo {
    struct Key {
      let entry: Int
      let count: Int32
      let partition: UInt32
      let isDirty: Bool
    }

    var batch: UInt64 = 0
    var keys: [Key] = []
    /// Of one key after the other.
    var cells: [Cell] = []
    var entryCount = 0
    var dirtyCount = 0
    var deletedCount = 0
    var changedBytes = 0
  }

  /// Remembers the rows of the batch's keys, which are in memory, for `revert`.
  public func remember(_ batch: Batch) {
    memo.batch += 1
    memo.keys.removeAll(keepingCapacity: true)
    memo.cells.removeAll(keepingCapacity: true)
    (memo.entryCount, memo.dirtyCount) = (count, dirty.count)
    (memo.deletedCount, memo.changedBytes) = (deleted.count, changedBytes)
    for event in batch {
      guard let key = try? event.key else { continue }
      let place = slots[slot(of: key, key.keyHash)]
      if place == 0 { continue }
      let entry = entries + Int(place - 1)
      if entry.pointee.remembered == memo.batch { continue }
      entry.pointee.remembered = memo.batch
      memo.keys.append(
        Memo.Key(
          entry: Int(place - 1), count: entry.pointee.count, partition: entry.pointee.partition,
          isDirty: entry.pointee.isDirty))
      memo.cells.append(
        contentsOf: UnsafeBufferPointer(start: entry.pointee.rows, count: Int(entry.pointee.count) * width))
    }
  }

  /// Undoes everything since `remember`. Keys that were not there stay, without rows.
  public func revert() {
    var from = 0
    for key in memo.keys {
      let cells = Int(key.count) * width
      if let rows = entries[key.entry].rows {
        for cell in 0..<cells { rows[cell] = memo.cells[from + cell] }
      }
      from += cells
      entries[key.entry].count = key.count
      entries[key.entry].partition = key.partition
      entries[key.entry].isDirty = key.isDirty
    }
    for index in memo.entryCount..<count {
      entries[index].count = 0
      entries[index].isDirty = false
    }
    dirty.removeLast(dirty.count - memo.dirtyCount)
    deleted.removeLast(deleted.count - memo.deletedCount)
    changedBytes = memo.changedBytes
  }

  /// The changed rows, as a store wants them; from now on the next epoch's changes are collected.
  public func snapshot() -> RowSet {
    dirty.sort { a, b in
      entries[Int(a)].key.withText { x in entries[Int(b)].key.withText { y in x < y } }
    }
    let columns = schema.columns.count
    let total = dirty.reduce(0) { $0 + Int(entries[Int($1)].count) }
    let cells = UnsafeMutablePointer<Cell>.allocate(capacity: max(1, total * columns))
    var out = cells
    var deletes: [[Cell]] = deleted.map { [entries[Int($0.entry)].key] + $0.subkeys }
    let isNew = dirty.allSatisfy { entries[Int($0)].stored == 0 }
    for index in dirty.lazy.map({ Int($0) }) {
      for place in 0..<Int(entries[index].count) {
        out[0] = entries[index].key
        if schema.isRanked { out[1] = Cell(number: Int128(place + 1)) }
        (out + columns - width).update(from: entries[index].rows.unsafelyUnwrapped + place * width, count: width)
        out += columns
      }
      if schema.isRanked, entries[index].count < entries[index].stored {
        for rank in entries[index].count + 1...entries[index].stored {
          deletes.append([entries[index].key, Cell(number: Int128(rank))])
        }
      }
      entries[index].stored = entries[index].count
      entries[index].isDirty = false
    }
    dirty.removeAll(keepingCapacity: true)
    deleted.removeAll()
    changedBytes = 0
    newKeyHashes.removeAll(keepingCapacity: true)
    let set = RowSet(schema: schema, sorted: cells, count: total, isNew: isNew, arenas: [arena])
    set.deletes = deletes
    return set
  }
}
