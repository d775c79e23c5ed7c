import CDecode

/// What one block of lines gave.
struct LineRun: Equatable {
  struct Record: Equatable {
    var raw: String
    /// Kind and text of each.
    var fields: [String]
    var mark: UInt64
    var mask: UInt32
    var ordinal: UInt32
  }
  struct Fault: Equatable {
    var kind: replay_fault
    var ordinal: UInt64
    var offset: Int
  }
  var records: [Record] = []
  var scanned = 0
  var below: [UInt64] = []
  var stoppedAt: Int?
  var fault: Fault?
}

/// The C++ extractor without anything around it: one way through lines, on memory that ends where it must.
final class LineExtractor {
  /// For each function, what its fields must be.
  typealias Conditions = [[(field: Int, values: [String])]]

  private let handle: OpaquePointer
  private let output: OpaquePointer
  private let functionCount: Int
  private let fieldCount: Int

  /// `kernel`: nil goes the careful way.
  init(paths: [String], functions: Conditions, kernel: UInt32?) {
    handle = replay_extractor_create(UInt32(functions.count))
    output = replay_output_create()
    (functionCount, fieldCount) = (functions.count, paths.count)
    for path in paths {
      let members = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      Self.lend(members) { replay_extractor_add_field(handle, $0, members.count) }
    }
    for (function, conditions) in functions.enumerated() {
      for (field, values) in conditions {
        Self.lend(values) {
          replay_extractor_add_condition(handle, UInt32(function), UInt32(field), $0, values.count)
        }
      }
    }
    if let kernel { replay_extractor_use_kernel(handle, kernel) } else { replay_extractor_be_careful(handle, true) }
  }

  deinit {
    replay_extractor_destroy(handle)
    replay_output_destroy(output)
  }

  /// The careful way, then the fast one with each kernel that this processor can run.
  static func all(paths: [String], functions: Conditions) -> [LineExtractor] {
    ([nil] + (0..<replay_line_kernels()).map { $0 }).map {
      LineExtractor(paths: paths, functions: functions, kernel: $0)
    }
  }

  private static func lend(_ strings: [String], _ body: (UnsafePointer<replay_text>?) -> Void) {
    let copies = strings.map { string in
      let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: string.utf8.count)
      _ = copy.initialize(from: string.utf8.map { CChar(bitPattern: $0) })
      return copy
    }
    defer { for copy in copies { copy.deallocate() } }
    body(copies.map { replay_text(start: UnsafePointer($0.baseAddress), length: $0.count) })
  }

  /// `behind` is what lies behind the block, over and over: it must not matter.
  func run(
    _ bytes: some Collection<UInt8>, from: [UInt64]? = nil, first: UInt64 = 0, until: UInt64 = .max,
    maxRecordBytes: Int = 1 << 20, behind: String = "\""
  ) -> LineRun {
    let unescaped = bytes.contains(UInt8(ascii: "\\")) ? bytes.count : 0
    let padding = (0..<Int(REPLAY_PADDING)).map { Array(behind.utf8)[$0 % behind.utf8.count] }
    var memory = Array(bytes) + padding + [UInt8](repeating: 0, count: unescaped)
    let from = from ?? [UInt64](repeating: 0, count: functionCount)
    return memory.withUnsafeMutableBufferPointer { memory in
      from.withUnsafeBufferPointer { from in
        var call = replay_block()
        call.output = output
        call.bytes = memory.baseAddress
        call.length = bytes.count
        call.scratch = bytes.count + Int(REPLAY_PADDING)
        call.capacity = memory.count
        call.framing = REPLAY_LINES
        call.first_ordinal = first
        call.until_ordinal = until
        call.max_record_bytes = maxRecordBytes
        call.from = from.baseAddress
        return result(replay_extract(handle, &call), call)
      }
    }
  }

  private func result(_ isGood: Bool, _ call: replay_block) -> LineRun {
    let text = { (slice: replay_slice) in
      String(
        decoding: UnsafeBufferPointer(start: call.bytes + Int(slice.offset), count: Int(slice.tail & 0x0fff_ffff)),
        as: UTF8.self)
    }
    let records = (0..<call.count).map { record in
      let fields = (0..<fieldCount).map { call.fields[record * fieldCount + $0] }
      return LineRun.Record(
        raw: text(call.records[record]), fields: fields.map { "\($0.tail >> 28) \(text($0))" },
        mark: call.marks[record], mask: call.masks[record], ordinal: call.ordinals[record])
    }
    let fault = LineRun.Fault(kind: call.fault, ordinal: call.fault_ordinal, offset: call.fault_offset)
    return LineRun(
      records: records, scanned: call.scanned,
      below: (0..<functionCount).map { replay_extractor_below(handle, UInt32($0)) },
      stoppedAt: call.reached_until ? call.stopped_at : nil, fault: isGood ? nil : fault)
  }
}
