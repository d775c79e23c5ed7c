import ArgumentParser
import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Every flag has an environment variable: `--commit-interval` is `REPLAY_COMMIT_INTERVAL`; several functions are parted by
/// commas. The command line wins.
enum Environment {
  /// Names that the tool itself uses for other things.
  private static let prefix = "REPLAY_"

  /// The command line with what the environment adds, as far as the verb knows the flag.
  /// Throws `.usage` for a flag's variable that says neither yes nor no.
  static func arguments(_ given: [String]) throws -> [String] {
    let set = variables()
    guard !set.isEmpty, given.first != "help" else { return given }
    let verb = Verb(given)
    var added: [String] = []
    for (name, value) in set.sorted(by: { $0.key < $1.key }) {
      let flag = "--" + name.lowercased().map { $0 == "_" ? "-" : $0 }.map(String.init).joined()
      let rivals =
        [["--archive", "--files-from"], ["--quiet", "--verbose", "-q", "-v"]].first { $0.contains(flag) } ?? [flag]
      let isGiven = given.contains { word in rivals.contains { word == $0 || word.hasPrefix($0 + "=") } }
      guard let option = verb.options[flag], !isGiven else { continue }
      switch option {
      case .value: if !value.isEmpty { added.append(flag + "=" + value) }
      case .flag:
        if ["1", "true", "yes", "on"].contains(value.lowercased()) {
          added.append(flag)
        } else if !["0", "false", "no", "off", ""].contains(value.lowercased()) {
          throw ReplayError(
            .usage, "the variable \(prefix)\(name) says neither yes nor no: \(value)", next: "set it to 1 or 0")
        }
      case .repeated: for part in value.split(separator: ",") { added.append(flag + "=" + part) }
      }
    }
    let end = given.firstIndex(of: "--") ?? given.endIndex
    return given[..<end] + added + given[end...]
  }

  private static func variables() -> [String: String] {
    var found: [String: String] = [:]
    var entry = environ
    while let pair = entry.pointee {
      let text = String(cString: pair)
      if text.hasPrefix(prefix), let equals = text.firstIndex(of: "=") {
        let name = text[text.index(text.startIndex, offsetBy: prefix.count)..<equals]
        found[String(name)] = String(text[text.index(after: equals)...])
      }
      entry += 1
    }
    return found
  }
}

/// The verb that a command line names, with the flags that it takes: read from the commands themselves.
struct Verb {
  enum Kind { case value, flag, repeated }
  let options: [String: Kind]

  init(_ arguments: [String]) {
    let command = Root.configuration.subcommands.first { arguments.first == $0._commandName } ?? Run.self
    options = Verb.options(in: command.helpMessage(columns: 2000))
  }

  /// Flags that may be given several times, by what their values are called: some verbs have others of the same name.
  private static let repeated: Set<String> = [
    "--function <function>", "--function-env <function-env>", "--tables <tables>", "--ignore <ignore>", "--from <edge>",
    "--to <edge>",
    "--types <type,…>", "--keys <key|@file>", "--exclude-keys <key|@file>",
  ]

  /// Flags as the help text lists them: `--name <value>` takes a value.
  private static func options(in help: String) -> [String: Kind] {
    var options: [String: Kind] = [:]
    for line in help.split(separator: "\n") where line.hasPrefix("  -") {
      let words = line.split(separator: " ")
      for (place, word) in words.enumerated() {
        guard word.hasPrefix("--") else { if word.hasPrefix("-") || word.hasPrefix("/") { continue } else { break } }
        let next = place + 1 < words.count ? words[place + 1] : ""
        let takesValue = next.hasPrefix("<")
        let name = String(word.drop { $0 == "," })
        options[name] = takesValue ? (repeated.contains("\(name) \(next)") ? .repeated : .value) : .flag
        break
      }
    }
    return options
  }
}
