import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The errors of a directory stream, one clear error each.
enum StreamFault {
  /// A name as it may be shown on a terminal.
  static func shown(_ path: String) -> String {
    var path = path
    return path.withUTF8 { ReplayError.excerpt(Text(UnsafeRawBufferPointer($0)), limit: 4096) }
  }

  /// A system call said no.
  static func failed(_ verb: String, _ path: String, _ number: Int32) -> ReplayError {
    let what = "cannot \(verb) the stream's file: \(shown(path))"
    let reason = [String(cString: strerror(number))]
    switch number {
    case EACCES, EPERM:
      return ReplayError(
        .permission, what, details: reason, next: "let this user read, or append to, the stream's files")
    case EMFILE, ENFILE, ENOMEM:
      return ReplayError(.temporary, what, details: reason, next: "raise the limit, then run the command again")
    case ENOSPC, EDQUOT, EROFS, EFBIG:
      return ReplayError(.cannotCreate, what, details: reason, next: "make room for it, then run the command again")
    case ENOENT:
      return ReplayError(.missing, what, details: reason, next: "check the path given as dir:DIR")
    case ENOTDIR, EISDIR, ELOOP:
      return ReplayError(.data, what, details: reason, next: "keep only DIR/partition=<id>/<start>.jsonl in the stream")
    default:
      return ReplayError(
        .unavailable, what, details: reason, next: "check the disk or mount, then run the command again")
    }
  }

  static func absent(_ directory: String) -> ReplayError {
    ReplayError(
      .missing, "there is no such directory of a stream: \(shown(directory))", next: "check the path given as dir:DIR")
  }

  static func unknown(_ id: String, in directory: String) -> ReplayError {
    ReplayError(
      .missing, "the stream has no partition \(shown(id))",
      details: ["looked for: \(shown(StreamLayout.join(directory, StreamLayout.partitionPrefix + id)))"],
      next: "check that this is the stream that was followed before")
  }

  static func partition(_ path: String) -> ReplayError {
    ReplayError(
      .data, "a partition's directory has no id: \(shown(path))", details: ["expected: partition=<id>"],
      next: "rename it, or take it out of the stream")
  }

  static func name(_ path: String) -> ReplayError {
    ReplayError(
      .data, "a file of the stream does not say where it begins: \(shown(path))",
      details: ["expected: <position of its first line>.jsonl, in decimal digits, below 2^63"],
      next: "rename it, or take it out of the stream")
  }

  static func encoding(_ directory: String) -> ReplayError {
    ReplayError(
      .data, "a file name in the stream is not UTF-8", details: ["directory: \(shown(directory))"],
      next: "rename it, so that it can be shown and stored")
  }

  static func twins(_ a: String, _ b: String) -> ReplayError {
    ReplayError(
      .data, "two files of the stream begin at one position: \(shown(a))", details: ["the other: \(shown(b))"],
      next: "take the one that is none of the stream's out of it")
  }

  /// `file` has no line at `end`, and the one after it begins elsewhere.
  static func gap(_ file: StreamFile, end: UInt64, next: StreamFile) -> ReplayError {
    let kind = next.start > end ? "a hole" : "an overlap"
    return ReplayError(
      .data, "there is \(kind) between two files of the stream: \(shown(file.path)) and \(shown(next.path))",
      details: [
        "expected: the newer one begins at position \(end), behind the last line of the older one",
        "found:    it begins at \(next.start)",
      ],
      next: next.start > end
        ? "put the missing file back, or rename the newer one if its name is wrong"
        : "take out the file that should not be there, or rename the newer one if its name is wrong")
  }

  static func overfull(_ file: StreamFile, next: StreamFile) -> ReplayError {
    ReplayError(
      .data, "there is an overlap between two files of the stream: \(shown(file.path)) and \(shown(next.path))",
      details: [
        "expected: the older one ends where the newer one begins, at position \(next.start)",
        "found:    it has more lines than \(next.start - file.start)",
      ], next: "take out the file that should not be there, or rename the newer one if its name is wrong")
  }

  static func torn(_ file: StreamFile, position: UInt64, byte: UInt64, next: StreamFile) -> ReplayError {
    ReplayError(
      .data, "the last line of an older file of the stream has no end: \(shown(file.path))",
      details: [
        "position \(position), line \(position - file.start + 1), which begins at byte \(byte)",
        "a newer file exists, so nobody will finish it: \(shown(next.path))",
      ], next: "end the line, or cut it off if it was never acknowledged")
  }

  static func blank(_ file: StreamFile, position: UInt64, byte: UInt64) -> ReplayError {
    ReplayError(
      .data, "a line of the stream is blank: \(shown(file.path))",
      details: [
        "position \(position), line \(position - file.start + 1), at byte \(byte)",
        "expected: one JSON value on every line, because lines are counted as positions",
      ], next: "put what belongs there in its place, or `null`: do not take the line out")
  }

  static func beyondPositions(_ file: StreamFile, byte: UInt64) -> ReplayError {
    ReplayError(
      .data, "a file of the stream has more lines than there are positions: \(shown(file.path))",
      details: [
        "it begins at position \(file.start); the line at byte \(byte) would be at 2^63",
        "expected: positions below 2^63",
      ], next: "look whether the file's name is right: no stream grows so long")
  }

  static func tooLong(_ file: StreamFile, position: UInt64, byte: UInt64, limit: Int) -> ReplayError {
    ReplayError(
      .data, "a line of the stream is too long: \(shown(file.path))",
      details: [
        "position \(position), line \(position - file.start + 1), which begins at byte \(byte)",
        "expected: at most \(limit) bytes",
      ], next: "check that this is a file of JSON lines")
  }

  static func shrunk(_ file: StreamFile, read: UInt64, size: UInt64) -> ReplayError {
    ReplayError(
      .data, "a file of the stream became shorter than what was read of it: \(shown(file.path))",
      details: ["read: \(read) bytes", "found: \(size) bytes"],
      next: "files of a stream are only appended to: find out who cut it")
  }

  static func replaced(_ file: StreamFile) -> ReplayError {
    ReplayError(
      .data, "a file of the stream was replaced while it was read: \(shown(file.path))",
      details: ["its name is now another file's"],
      next: "files of a stream are only appended to: find out who replaced it"
    )
  }

  static func vanished(_ file: StreamFile) -> ReplayError {
    ReplayError(
      .data, "a file of the stream that is not among the oldest is gone: \(shown(file.path))",
      details: ["older ones are still there"], next: "put it back; only the oldest files may be deleted")
  }

  static func irregular(_ path: String) -> ReplayError {
    ReplayError(
      .data, "the stream holds something that is no regular file: \(shown(path))", next: "take it out of the stream")
  }
}
