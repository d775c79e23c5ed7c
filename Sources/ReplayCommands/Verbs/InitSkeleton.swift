/// The files of a user's own package.
struct Skeleton {
  let name: String
  let module: String
  /// The line of `Package.swift` that finds replay.
  let dependency: String

  var files: [(path: String, text: String)] {
    [
      ("Package.swift", manifest), ("Sources/\(module)/Tool.swift", tool),
      ("Sources/\(module)/TypeCounts.swift", Skeleton.function),
      ("Tests/\(module)Tests/TypeCountsTests.swift", test), ("README.md", readme), (".gitignore", ".build/\n*.db\n"),
    ]
  }

  private var manifest: String {
    """
    // swift-tools-version:6.2
    import PackageDescription

    let package = Package(
      name: "\(name)",
      products: [.executable(name: "\(name)", targets: ["\(module)"])],
      dependencies: [
        \(dependency)
      ],
      targets: [
        .executableTarget(name: "\(module)", dependencies: [.product(name: "Replay", package: "replay")]),
        .testTarget(
          name: "\(module)Tests",
          dependencies: ["\(module)", .product(name: "ReplayTesting", package: "replay")]),
      ],
      cxxLanguageStandard: .cxx17
    )

    """
  }

  private var tool: String {
    """
    import Replay

    /// The whole replay tool, with the functions of this package.
    @main
    struct Tool: ReplayTool {
      static let functions: [any Projection] = [TypeCounts()]
    }

    """
  }

  private static let function = """
    import Replay

    /// For each type of event (CloudEvents): how many there were, and on which days the first and the last.
    struct TypeCounts: Projection {
      let name = "type-counts"
      private(set) var reads = Reads()
      private var counts = MergedTable("type_counts", key: .text("type"))
      private let type: TextField, time: TimeField
      private let events: SumColumn, firstDay: MinColumn, lastDay: MaxColumn

      init() {
        // What is read of each event. `reads.text("data.customer")` would be a field of the payload,
        // `reads.only(type: "order.placed")` would let only those events through.
        type = reads.type()
        time = reads.time()
        events = counts.count("events")
        firstDay = counts.min("first_day", .day)
        lastDay = counts.max("last_day", .day)
      }

      var tables: [any Table] { [counts] }

      func apply(_ batch: Batch, _ changes: Changes) throws {
        let rows = changes[counts]
        for event in batch {
          let day = try event[time].day
          let row = try rows[event[type]]
          try row.add(1, to: events)
          try row.lower(firstDay, to: day)
          try row.raise(lastDay, to: day)
        }
      }
    }

    """

  private var test: String {
    #"""
    import ReplayTesting
    import Testing

    @testable import \#(module)

    @Test func countsEachTypeAndItsDays() throws {
      let rows = try ReplayTesting.rows(
        of: TypeCounts(),
        events: [
          #"{"type": "order.placed", "time": "2026-01-31T08:12:33Z", "partitionkey": "ann"}"#,
          #"{"type": "order.placed", "time": "2026-02-01T09:00:00Z", "partitionkey": "ben"}"#,
          #"{"type": "order.paid", "time": "2026-02-01T09:30:00Z", "partitionkey": "ben"}"#,
        ])
      #expect(
        rows["type_counts"] == [
          ["order.paid", "1", "2026-02-01", "2026-02-01"], ["order.placed", "2", "2026-01-31", "2026-02-01"],
        ])
    }

    """#
  }

  private var readme: String {
    """
    # \(name)

    Functions that turn an archive of events into tables, run by replay: in order, exactly once, resumable.

        swift build -c release
        .build/release/\(name) plan --archive EVENTS --function type-counts
        .build/release/\(name) run --archive EVENTS --function type-counts --store \(name).db
        sqlite3 \(name).db 'SELECT * FROM type_counts'
        swift test

    - `Sources/\(module)/Tool.swift` lists the functions; `--function` names one of them.
    - `Sources/\(module)/TypeCounts.swift` is an example. Copy it, and say what your function reads and which tables it fills.
    - `Tests/` runs a function on events and compares rows; no archive and no database are needed.

    Needs Swift 6.2 or later and, on Debian and Ubuntu: `apt install libzstd-dev libisal-dev libsimdjson-dev
    libsqlite3-dev zlib1g-dev pkg-config`.

    """
  }
}
