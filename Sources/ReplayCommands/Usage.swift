import ReplayArchive
import ReplayCore

/// Looks at a command line before it is parsed, so that what is told is the word that is wrong and not its consequence.
enum Usage {
  private static let builtIn: Set<String> = ["--help", "--version", "--help-hidden"]

  /// Throws `.usage` for a verb or a flag that does not exist.
  static func check(_ arguments: [String]) throws {
    if arguments.contains(where: { $0.hasPrefix("--generate-completion-script") || $0.hasPrefix("--experimental") }) {
      return
    }
    let verbs = Root.configuration.subcommands.map { $0._commandName } + ["help"]
    if let first = arguments.first, !first.hasPrefix("-"), !verbs.contains(first) {
      throw unknown("there is no verb \(first)", first, among: verbs, else: "replay --help lists the verbs")
    }
    if arguments.first == "help", let verb = arguments.dropFirst().first, !verb.hasPrefix("-"), !verbs.contains(verb) {
      throw unknown("there is no verb \(verb)", verb, among: verbs, else: "replay --help lists the verbs")
    }
    if arguments.first == "help" || arguments.first == "---completion" { return }
    let options = Verb(arguments).options
    var rest = arguments[...]
    var seen: Set<String> = []
    while let word = rest.popFirst() {
      if word == "--" { return }
      guard word.hasPrefix("--") else { continue }
      let name = word.split(separator: "=", maxSplits: 1).first.map(String.init) ?? word
      if let kind = options[name] {
        if kind != .flag, name == word { _ = rest.popFirst() }
        if kind == .value, !seen.insert(name).inserted {
          throw ReplayError(.usage, "the flag \(name) is given twice", next: "give it once")
        }
      } else if !builtIn.contains(name) {
        throw unknown(
          "there is no flag \(name)", name, among: Array(options.keys),
          else: "replay help VERB lists the flags of a verb")
      }
    }
  }

  private static func unknown(_ what: String, _ word: String, among known: [String], else other: String) -> ReplayError
  {
    let near = known.map { ($0, Similar.distance($0, word)) }.filter { $0.1 <= max(2, word.count / 3) }
      .min { ($0.1, $0.0) < ($1.1, $1.0) }
    return ReplayError(.usage, what, next: near.map { "did you mean \($0.0)?" } ?? other)
  }
}
