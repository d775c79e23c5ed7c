import ReplayArchive
import ReplayCore
import ReplayFunctions

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A kept plan: the archive as it was, and the command line that runs it.
struct PlanFile: Decodable {
  static let format = 1

  struct Function: Decodable, Equatable {
    let name: String
    let version: Int
    /// Changes when a table's columns do.
    let shape: String
  }

  let format: Int
  /// Where the plan was made; relative names of a list of files begin here.
  let directory: String
  let archive: String
  let usesList: Bool
  let arguments: [String]
  let functions: [Function]
  let fingerprint: [String]

  private enum CodingKeys: String, CodingKey {
    case format = "replay_plan_format"
    case usesList = "uses_list"
    case directory, archive, arguments, functions, fingerprint
  }

  /// The file's text for a plan that was just made.
  static func text(_ command: Plan, _ archive: OpenedArchive, _ projections: [any Projection]) throws -> String {
    let arguments =
      try command.archive.arguments + command.target.arguments + command.filter.arguments + command.stream.arguments
      + command.chain.arguments
      + command.failures.arguments + command.work.arguments + command.throttle.arguments
    let members: [(String, JSONText)] = [
      ("replay_plan_format", .number(format)), ("directory", .string(InputFile.workingDirectory)),
      ("archive", .string(archive.source.name)), ("uses_list", .bool(command.archive.filesFrom != nil)),
      ("segments", .number(archive.plan.segmentCount)), ("compressed_bytes", .number(archive.plan.bytes)),
      ("arguments", .array(arguments.map { .string($0) })),
      (
        "functions",
        .array(
          PlanFile.functions(projections).map {
            .object([("name", .string($0.name)), ("version", .number($0.version)), ("shape", .string($0.shape))])
          })
      ), ("fingerprint", .array(archive.plan.fingerprintLines.map { .string($0) })),
    ]
    // One member a line: a plan is looked at, and compared.
    return "{\n" + members.map { "  \(JSONText.quoted($0.0)): \($0.1.text)" }.joined(separator: ",\n") + "\n}\n"
  }

  static func functions(_ projections: [any Projection]) -> [Function] {
    projections.map { projection in
      let identity = FunctionIdentity(projection)
      return Function(name: identity.name, version: identity.version, shape: identity.shape)
    }
  }

  /// Throws `.usage` for a function in another language: a plan does not have its flags, and one that somebody changed is to
  /// start no program.
  static func check(_ functions: [String]) throws {
    guard let other = try functions.first(where: { try FunctionAddress($0) != nil }) else { return }
    throw ReplayError(
      .usage, "a plan keeps no function in another language: \(SecretOption.hidden(other))",
      effect: "nothing was read or written", next: "run it without a kept plan")
  }

  /// Throws `.missing` where there is no file, `.usage` where it is no plan or one of a newer format.
  static func read(_ path: String) throws -> PlanFile {
    let bytes = try InputFile.read(path, what: "the plan")
    let plan: PlanFile
    do { plan = try JSONDecoder().decode(PlanFile.self, from: Data(bytes)) } catch {
      throw ReplayError(
        .usage, "this file is no plan: \(path)", details: [PlanFile.reason(error)],
        next: "make one: replay plan --archive … --function … --store … --out \(path)")
    }
    // The system would end a path there, and read or write another file than the plan shows.
    if let argument = plan.arguments.first(where: { $0.utf8.contains(0) }) {
      throw ReplayError(
        .usage, "this file is no plan: \(path)", details: ["an argument has a NUL: \(argument)"],
        effect: "nothing was read or written")
    }
    guard plan.format == format else {
      throw ReplayError(
        .usage, "this plan has the format \(plan.format), and this replay reads \(format): \(path)",
        next: "make the plan anew with this replay")
    }
    return plan
  }

  private static func reason(_ error: any Error) -> String {
    switch error as? DecodingError {
    case .keyNotFound(let key, _)?: "it has no member \(key.stringValue)"
    case .typeMismatch(_, let context)?, .valueNotFound(_, let context)?:
      "its member \(context.codingPath.map(\.stringValue).joined(separator: ".")) is not what a plan has"
    default: "it is not JSON"
    }
  }
}
