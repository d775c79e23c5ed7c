/// What a store runs itself over the events that a function gathers: definitions of tables, and statements, in the
/// store's own language.
public struct StoreProgram: Sendable, Hashable {
  /// A column of the relation `events`: a cell of each gathered row.
  public struct Column: Sendable, Hashable {
    public let name: String
    /// True: the cells are texts; false: whole numbers of 64 bits. NULL in both.
    public let isText: Bool

    public init(_ name: String, isText: Bool) {
      self.name = name
      self.isText = isText
    }
  }

  /// One statement, and where it begins in its file.
  public struct Piece: Sendable, Hashable {
    public let text: String
    public let place: FilePlace

    public init(text: String, place: FilePlace) {
      self.text = text
      self.place = place
    }
  }

  public struct Definition: Sendable, Hashable {
    public enum Kind: String, Sendable { case table, view, index }
    public let kind: Kind
    public let name: String
    public let piece: Piece

    public init(_ kind: Kind, _ name: String, _ piece: Piece) {
      self.kind = kind
      self.name = name
      self.piece = piece
    }
  }

  public let columns: [Column]
  public let definitions: [Definition]
  /// Run in this order over each batch of events.
  public let statements: [Piece]
  /// One line that changes when what is read or defined does.
  public let shape: String

  public init(columns: [Column], definitions: [Definition], statements: [Piece], shape: String) {
    self.columns = columns
    self.definitions = definitions
    self.statements = statements
    self.shape = shape
  }

  public func names(of kind: Definition.Kind) -> [String] { definitions.filter { $0.kind == kind }.map(\.name) }
}

/// A place in a text file; line and column count from 1, columns in characters.
public struct FilePlace: Sendable, Hashable, CustomStringConvertible {
  public let file: String
  public let line: Int
  public let column: Int

  public init(file: String, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }

  public var description: String { "\(file):\(line):\(column)" }

  /// The place behind the first `bytes` bytes of `text`, which begins here.
  public func advanced(by bytes: Int, in text: String) -> FilePlace {
    var (line, column) = (line, column)
    for character in String(decoding: text.utf8.prefix(bytes), as: UTF8.self) {
      if character.isNewline { (line, column) = (line + 1, 1) } else { column += 1 }
    }
    return FilePlace(file: file, line: line, column: column)
  }
}

/// A store's program failed at one event: nothing of the epoch was written, and everything before the event in its
/// partition can be.
public struct RefusedEvent: Error {
  public let place: EventPlace
  public let error: ReplayError

  public init(function: String, place: EventPlace, error: ReplayError) {
    self.place = place
    var error = error.at(place.segment, ordinal: place.ordinal)
    error.fault = FunctionFault(
      function: function, place: place, reason: ([error.summary] + error.details).joined(separator: "\n"))
    self.error = error
  }
}

extension ReplayError {
  /// A store that has no language of its own was given a program.
  public static func noPrograms(_ function: String, in store: String) -> ReplayError {
    ReplayError(
      .usage, "the function \(function) is SQL, which this store cannot run", details: ["store: \(store)"],
      next: "give it a database: --store PATH")
  }
}
