// swift-tools-version:6.2
import PackageDescription

// A package of its own, so that what benchmarks need never reaches a user.
let package = Package(
  name: "benchmarks",
  dependencies: [.package(name: "replay", path: "..")],
  targets: [
    .executableTarget(
      name: "bench", dependencies: [.product(name: "ReplayRooms", package: "replay")],
      swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)])
  ]
)
