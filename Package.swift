// swift-tools-version:6.2
import PackageDescription

/// One room of the house: its name, what it may import, and whether its tests have a room too.
/// The order of the list is the order of the dataflow; `TidyTests` holds the import rule.
let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

func room(_ name: String, imports: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: imports, swiftSettings: strict)
}

func tests(_ name: String, imports: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: imports, swiftSettings: strict)
}

let package = Package(
  name: "replay",
  products: [
    .library(name: "Replay", targets: ["Replay"]),
    .library(name: "ReplayTesting", targets: ["ReplayTesting"]),
    .executable(name: "replay", targets: ["ReplayTool"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    // System libraries, one each; their Debian packages are listed in `packages.txt`.
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd"),
    .systemLibrary(name: "CISAL", pkgConfig: "libisal"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3"),
    .systemLibrary(name: "CPQ", pkgConfig: "libpq"),
    .systemLibrary(name: "CKafka", pkgConfig: "rdkafka"),
    .systemLibrary(name: "CMicroHTTPD", pkgConfig: "libmicrohttpd"),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl"),
    .target(
      name: "CDecode",
      cxxSettings: [.define("NDEBUG"), .define("SIMDJSON_THREADS_ENABLED", to: "0")],
      linkerSettings: [.linkedLibrary("simdjson")]),

    // Between fork and exec only C may run.
    .target(name: "CChild"),

    room("ReplayCore", imports: []),
    room("ReplayArchive", imports: ["ReplayCore"]),
    room("ReplayDecode", imports: ["ReplayCore", "CDecode", "CZstd", "CISAL"]),
    room("ReplayEngine", imports: ["ReplayCore"]),
    room("ReplaySQL", imports: ["ReplayCore"]),
    room("ReplaySQLite", imports: ["ReplayCore", "ReplaySQL", "CSQLite"]),
    room("ReplayPostgres", imports: ["ReplayCore", "ReplaySQL", "CPQ"]),
    room("ReplayDirectory", imports: ["ReplayCore"]),
    room("ReplayKafka", imports: ["ReplayCore", "CKafka"]),
    room("ReplayHTTP", imports: ["ReplayCore", "CMicroHTTPD"]),
    room("ReplayFunctions", imports: ["ReplayCore", "CChild", "CCurl", "CMicroHTTPD"]),
    room("RetailProjections", imports: ["ReplayCore"]),
    room("ReplayTesting", imports: ["ReplayCore", "ReplayDecode", "CZlib", "CZstd"]),
    room(
      "ReplayCommands",
      imports: [
        "ReplayCore", "ReplayArchive", "ReplayDecode", "ReplayEngine", "ReplaySQL", "ReplaySQLite",
        "ReplayPostgres", "ReplayDirectory",
        "ReplayKafka", "ReplayHTTP", "ReplayFunctions",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    room("Replay", imports: ["ReplayCore", "ReplayCommands"]),
    .executableTarget(
      // ReplayCore too, though it comes with Replay: without it an incremental build misses that its types changed size.
      name: "ReplayTool", dependencies: ["Replay", "RetailProjections", "ReplayCore"], swiftSettings: strict),
    tests("TidyTests", imports: []),
    tests("ReplayCoreTests", imports: ["ReplayCore", "ReplayTesting"]),
    tests("ReplayArchiveTests", imports: ["ReplayCore", "ReplayArchive"]),
    tests(
      "ReplayDecodeTests",
      imports: ["ReplayCore", "ReplayDecode", "ReplayArchive", "ReplayTesting", "CDecode"]),
    tests(
      "ReplayEngineTests",
      imports: ["ReplayCore", "ReplayDecode", "ReplayEngine", "ReplayTesting", "RetailProjections"]),
    tests("ReplaySQLiteTests", imports: ["ReplayCore", "ReplaySQL", "ReplaySQLite", "ReplayTesting", "CSQLite"]),
    tests("ReplayPostgresTests", imports: ["ReplayCore", "ReplaySQL", "ReplayPostgres", "ReplayTesting", "CPQ"]),
    tests("ReplayDirectoryTests", imports: ["ReplayCore", "ReplayDirectory", "ReplayTesting"]),
    // A Kafka cluster in memory, for tests of this package and, as a process, for the black-box tests. In no product.
    .target(name: "KafkaMock", dependencies: ["CKafka"], path: "Tests/KafkaMock", swiftSettings: strict),
    .executableTarget(
      name: "kafka-mock", dependencies: ["KafkaMock"], path: "Tests/Tools/kafka-mock", swiftSettings: strict),
    .executableTarget(
      name: "kafka-probe", dependencies: ["KafkaMock", "ReplayCore", "ReplayKafka", "CKafka"],
      path: "Tests/Tools/kafka-probe", swiftSettings: strict),
    // The tool with functions that fail, for the black-box tests. In no product.
    .executableTarget(
      name: "failing-tool", dependencies: ["Replay", "ReplayCore"], path: "Tests/Tools/failing-tool",
      swiftSettings: strict),
    // The tool with a function that notices an event out of order, for the tests of trust. In no product.
    .executableTarget(
      name: "sentinel-tool", dependencies: ["Replay", "ReplayCore"], path: "Tests/Tools/sentinel-tool",
      swiftSettings: strict),
    // Damages archives and replays them, in one process. In no product.
    .executableTarget(
      name: "damage", dependencies: ["ReplayCore", "ReplayArchive", "ReplayDecode", "ReplayEngine", "ReplayTesting"],
      path: "Tests/Tools/damage", swiftSettings: strict),
    tests("ReplayKafkaTests", imports: ["ReplayCore", "ReplayKafka", "ReplayTesting", "KafkaMock", "CKafka"]),
    tests("ReplayFunctionsTests", imports: ["ReplayCore", "ReplayDecode", "ReplayFunctions", "ReplayTesting"]),
    tests("ReplayHTTPTests", imports: ["ReplayCore", "ReplayHTTP"]),
    tests(
      "ReplayCommandsTests",
      imports: [
        "ReplayCore", "ReplayEngine", "ReplayHTTP", "ReplaySQL", "ReplaySQLite", "ReplayTesting", "ReplayCommands",
      ]),
    tests("RetailProjectionsTests", imports: ["ReplayCore", "RetailProjections", "ReplayTesting"]),
  ],
  cxxLanguageStandard: .cxx17
)
