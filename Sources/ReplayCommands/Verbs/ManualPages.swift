#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Manual pages in roff, made from what the commands say of themselves.
struct ManualPages {
  private struct Tool: Decodable { let command: Command }

  private struct Command: Decodable {
    let commandName: String
    let abstract: String?
    let discussion: String?
    let arguments: [Argument]?
    let subcommands: [Command]?
  }

  private struct Argument: Decodable {
    struct Name: Decodable {
      let kind: String
      let name: String
      var text: String { (kind == "long" ? "--" : "-") + name }
    }
    let kind: String
    let names: [Name]?
    let valueName: String?
    let defaultValue: String?
    let abstract: String?
    let sectionTitle: String?
    let isRepeating: Bool
    let isOptional: Bool
    let shouldDisplay: Bool
  }

  private let root: Command
  private let version: String

  /// `helpJSON` is ArgumentParser's description of the command and those below it.
  init(helpJSON: String, version: String) throws {
    root = try JSONDecoder().decode(Tool.self, from: Data(helpJSON.utf8)).command
    self.version = version
  }

  var pages: [(name: String, text: String)] {
    let verbs = (root.subcommands ?? []).filter { $0.commandName != "help" }
    let names = verbs.map { "\(root.commandName)-\($0.commandName)" }
    let synopsis = "\(root.commandName) [verb] [options]"
    let first = page(root.commandName, root, synopsis: synopsis, others: names, verbs: verbs)
    return [(root.commandName, first)]
      + zip(names, verbs).map { name, verb in
        let synopsis = "\(root.commandName) \(verb.commandName)" + ManualPages.operands(verb) + " [options]"
        let others = [root.commandName] + names.filter { $0 != name }
        return (name, page(name, verb, synopsis: synopsis, others: others, verbs: []))
      }
  }

  private func page(_ name: String, _ command: Command, synopsis: String, others: [String], verbs: [Command]) -> String
  {
    let title = ManualPages.escaped(name.uppercased())
    var lines = [".TH \(title) 1 \"\" \"\(ManualPages.escaped(version))\" \"Manual of replay\"", ".SH NAME"]
    lines.append("\(ManualPages.escaped(name)) \\- \(ManualPages.escaped(command.abstract ?? ""))")
    lines += [".SH SYNOPSIS", ".B \(ManualPages.escaped(synopsis))"]
    if let discussion = command.discussion { lines += [".SH DESCRIPTION"] + ManualPages.paragraphs(discussion) }
    if !verbs.isEmpty { lines.append(".SH VERBS") }
    for verb in verbs {
      lines += [".TP", ".B \(ManualPages.escaped(verb.commandName))", ManualPages.escaped(verb.abstract ?? "")]
    }
    lines += options(command)
    if !verbs.isEmpty { lines += ManualPages.common }
    lines += [".SH SEE ALSO", others.map { "\\fB\(ManualPages.escaped($0))\\fR(1)" }.joined(separator: ",\n")]
    return lines.joined(separator: "\n") + "\n"
  }

  /// What holds for every verb.
  private static var common: [String] {
    var lines = [".SH EXIT STATUS"]
    for (code, meaning) in ExitCodes.all { lines += [".TP", ".B \(code)", escaped(meaning)] }
    lines += [
      ".SH ENVIRONMENT",
      escaped(
        "Every flag has a variable: --commit-interval is REPLAY_COMMIT_INTERVAL; the command line wins. Flags without")
        + "\n"
        + escaped("a value take 1 or 0. REPLAY_FUNCTION takes several names with commas. NO_COLOR turns colours off."),
      ".SH FILES",
      escaped(
        "The store is one SQLite file, with -wal and -shm beside it while a run writes. Tables whose names begin with")
        + "\n" + escaped("_replay_ are the tool's own; all others are the functions'."),
    ]
    return lines
  }

  /// The options under the titles of their groups, in the order of the help text.
  private func options(_ command: Command) -> [String] {
    var titles: [String] = []
    var groups: [String: [Argument]] = [:]
    for argument in command.arguments ?? [] where argument.shouldDisplay {
      let title = argument.sectionTitle ?? (argument.kind == "positional" ? "Operands" : "Options")
      if groups[title] == nil { titles.append(title) }
      groups[title, default: []].append(argument)
    }
    return titles.flatMap { title in
      [".SH \(ManualPages.escaped(title.uppercased()))"] + (groups[title] ?? []).flatMap(ManualPages.option)
    }
  }

  private static func option(_ argument: Argument) -> [String] {
    let value = argument.kind == "flag" ? "" : " \\fI\(escaped(argument.valueName ?? "value"))\\fR"
    let names = (argument.names ?? []).map { "\\fB\(escaped($0.text))\\fR" }.joined(separator: ", ")
    let given = argument.defaultValue.map { " (default: \(escaped($0)))" } ?? ""
    let more = argument.isRepeating ? " ..." : ""
    return [".TP", (names + value + more).trimmedSpace, escaped(argument.abstract ?? "") + given]
  }

  private static func operands(_ command: Command) -> String {
    (command.arguments ?? []).filter { $0.kind == "positional" && $0.shouldDisplay }.map {
      $0.isOptional ? " [\($0.valueName ?? "value")]" : " \($0.valueName ?? "value")"
    }.joined()
  }

  private static func paragraphs(_ text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      line.isEmpty ? ".PP" : line.hasPrefix("replay ") ? ".EX\n\(escaped(String(line)))\n.EE" : escaped(String(line))
    }
  }

  /// Text that roff takes as it is.
  private static func escaped(_ text: String) -> String {
    let plain = text.flatMap { $0 == "\\" ? "\\e" : $0 == "-" ? "\\-" : $0 == "\"" ? "\\(dq" : String($0) }
    let isCommand = plain.first == "." || plain.first == "'"
    return (isCommand ? "\\&" : "") + String(plain)
  }
}

extension String {
  fileprivate var trimmedSpace: String { String(drop { $0 == " " }) }
}
