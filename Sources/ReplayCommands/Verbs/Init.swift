import ArgumentParser
import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

struct Init: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a package of your own: the whole tool with your functions, an example and its test.")

  @Argument(help: "The package's name, and its directory: letters, digits, hyphens.")
  var name: String
  @Option(help: "The directory of replay's own package (default: the one this tool was built from).")
  var replay: String?
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    let isPlain = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
    guard isPlain, let first = name.first, first.isLetter, !module.isEmpty else {
      throw ValidationError("A name begins with a letter and has letters, digits and hyphens only.")
    }
    let taken = ["Swift", "Foundation", "Testing", "XCTest", "Glibc", "RetailProjections", "ArgumentParser"]
    if module.hasPrefix("Replay") || taken.contains(module) {
      throw ValidationError("The name \(name) is taken by a module that the package uses; choose another.")
    }
  }

  func run() throws {
    output.apply()
    Signals.endAtOnce()
    if InputFile.exists(name) {
      throw ReplayError(
        .cannotCreate, "there is something already: \(name)", effect: "nothing was written",
        next: "choose another name, or another directory")
    }
    let files = Skeleton(name: name, module: module, dependency: try dependency).files
    for (path, text) in files {
      try Init.makeDirectories(above: "\(name)/\(path)")
      try OutputFile.write(text, to: "\(name)/\(path)")
      Console.shared.detail("wrote \(name)/\(path)")
    }
    Console.shared.event("package", [("name", .string(name)), ("files", .array(files.map { .string($0.path) }))])
    Console.shared.say("replay: the package is in \(name)/; next: cd \(name) && swift build -c release && swift test")
  }

  /// The package that this file was compiled in: `Sources/ReplayCommands/Verbs` are three directories below it.
  private static var ownPackage: String {
    #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
  }

  /// `my-functions` makes `MyFunctions`.
  private var module: String {
    name.split { $0 == "-" || $0 == "_" }.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  private var dependency: String {
    get throws {
      let path = InputFile.absolute(replay ?? Init.ownPackage)
      guard InputFile.exists(path + "/Package.swift") else {
        throw ReplayError(
          .missing, "there is no Swift package: \(path)", effect: "nothing was written",
          next: "give the directory of replay's Package.swift with --replay")
      }
      let manifest = try InputFile.read(path + "/Package.swift", what: "the package")
      guard String(decoding: manifest, as: UTF8.self).contains(#".library(name: "Replay""#) else {
        throw ReplayError(
          .missing, "this is not replay's package: \(path)", effect: "nothing was written",
          next: "give the directory of replay's Package.swift with --replay")
      }
      return ".package(name: \"replay\", path: \(JSONText.quoted(path)))"
    }
  }

  private static func makeDirectories(above path: String) throws {
    var directory = ""
    for part in path.split(separator: "/").dropLast() {
      directory += (directory.isEmpty ? "" : "/") + part
      guard mkdir(directory, 0o777) == 0 || errno == EEXIST else {
        let why = String(cString: strerror(errno))
        throw ReplayError(errno == EACCES ? .permission : .cannotCreate, "cannot make \(directory): \(why)")
      }
    }
  }
}
