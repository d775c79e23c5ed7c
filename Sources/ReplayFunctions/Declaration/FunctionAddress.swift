import ReplayCore

/// How a function in another language is reached, as a user names it.
public enum FunctionAddress: Sendable, Equatable {
  /// `lambda:./app.py:handler`: a handler in a file, run by its language's runtime interface client.
  case lambda(file: String, handler: String)
  /// `lambda:exec:COMMAND`: any runtime interface client.
  case lambdaCommand([String])
  /// `exec:COMMAND`: a program that answers lines.
  case exec([String])
  /// `http://HOST:PORT/PATH` or `https://…`: a service.
  case http(String)

  /// Nil where it is none of these. Throws `.usage` where it is one, and wrong.
  public init?(_ text: String) throws {
    if let command = text.removing("lambda:exec:") {
      self = .lambdaCommand(try FunctionAddress.words(command, of: text))
    } else if let command = text.removing("exec:") {
      self = .exec(try FunctionAddress.words(command, of: text))
    } else if text.hasPrefix("http://") || text.hasPrefix("https://") {
      _ = try HTTPAddress(text)
      self = .http(text)
    } else if let handler = text.removing("lambda:") {
      guard let colon = handler.lastIndex(of: ":"), colon > handler.startIndex,
        handler.index(after: colon) < handler.endIndex
      else {
        throw ReplayError(
          .usage, "a Lambda handler is named by its file and its function: \(text)",
          next: "write lambda:./app.py:handler, or lambda:exec:COMMAND for any runtime interface client")
      }
      self = .lambda(file: String(handler[..<colon]), handler: String(handler[handler.index(after: colon)...]))
    } else {
      return nil
    }
  }

  /// Words as a shell would part them: by spaces, but for those in quotes or behind a backslash. Nothing else is expanded.
  static func words(_ command: String, of text: String) throws -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var rest = command[...]
    while let character = rest.popFirst() {
      if character == "\\", quote != "'" {
        word = (word ?? "") + (rest.popFirst().map(String.init) ?? "\\")
      } else if character == quote {
        quote = nil
      } else if quote == nil, character == "'" || character == "\"" {
        (quote, word) = (character, word ?? "")
      } else if quote == nil, character == " " || character == "\t" {
        if let ended = word { words.append(ended) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    if let ended = word { words.append(ended) }
    guard quote == nil, let first = words.first, !first.isEmpty else {
      throw ReplayError(
        .usage, quote == nil ? "a function names no command: \(text)" : "a quote is not closed: \(text)",
        next: "write exec:COMMAND, or lambda:exec:COMMAND")
    }
    return words
  }

  /// What the function is called where nobody says.
  var defaultName: String {
    let words: [String] =
      switch self {
      case .lambda(let file, let handler): [file, handler]
      case .lambdaCommand(let command), .exec(let command): command.filter { !$0.hasPrefix("-") }
      case .http(let text): (try? HTTPAddress(text))?.nameParts ?? []
      }
    let parts = words.map { word -> String in
      let name = word.split(separator: "/").last.map(String.init) ?? word
      let stem = name.lastIndex(of: ".").flatMap { $0 > name.startIndex ? String(name[..<$0]) : nil } ?? name
      return String(
        stem.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" })
    }
    let name = parts.joined(separator: "-").prefix(63)
    return name.isEmpty ? "function" : String(name)
  }
}

extension String {
  /// What follows `prefix`; nil where it does not begin so.
  func removing(_ prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }
}
