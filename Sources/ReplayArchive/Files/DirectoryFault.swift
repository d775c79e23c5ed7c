import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The errors of an archive on this machine, one clear error each.
enum DirectoryFault {
  /// A system call said no.
  static func failed(_ verb: String, _ path: String, _ number: Int32) -> ReplayError {
    let reason = String(cString: strerror(number))
    let what = "cannot \(verb) the archive's file: \(shown(path))"
    switch number {
    case EACCES, EPERM:
      return ReplayError(
        .permission, what, details: [reason], next: "let this user read it: every file of the archive must be readable")
    case ENOENT, ENOTDIR: return vanished(path)
    case ELOOP:
      return ReplayError(.data, what, details: [reason], next: "follow links with --follow-symlinks, or replace them")
    case EMFILE, ENFILE, ENOMEM:
      return ReplayError(.temporary, what, details: [reason], next: "raise the limit, then run the command again")
    default:
      let next = "check the disk or mount, then run the command again"
      return ReplayError(.unavailable, what, details: [reason], next: next)
    }
  }

  static func vanished(_ path: String) -> ReplayError {
    ReplayError(
      .missing, "a file of the archive has vanished: \(shown(path))",
      details: ["it was listed, and is no longer there"], next: "put it back, then run the command again")
  }

  static func irregular(_ path: String, _ what: String) -> ReplayError {
    ReplayError(
      .data, "the archive holds something that is no regular file: \(shown(path))",
      details: ["it is \(what); an archive must be finite, and readable twice"], next: "take it out of the archive")
  }

  static func changed(_ path: String, _ entry: SegmentEntry, _ now: FileFacts) -> ReplayError {
    ReplayError(
      .data, "the archive changed while it was read: \(shown(path))",
      details: [
        "listed: \(entry.size) bytes, modified \(entry.version)", "found:  \(now.size) bytes, modified \(now.version)",
      ],
      next: "wait until the archive is written to its end, then run the command again")
  }

  static func name(_ directory: String) -> ReplayError {
    ReplayError(
      .data, "a file name in the archive is not UTF-8", details: ["directory: \(shown(directory))"],
      next: "rename it, so that it can be shown and stored")
  }

  static func loop(_ path: String) -> ReplayError {
    ReplayError(
      .data, "a symbolic link leads back to its own directory: \(shown(path))", next: "take the link out of the archive"
    )
  }

  static func twins(_ a: String, _ b: String) -> ReplayError {
    ReplayError(
      .data, "two file names in the archive differ only in Unicode's normal form: \(shown(a))",
      details: [a, b].map { "\(shown($0)), bytes \($0.utf8.map { String($0, radix: 16) }.joined(separator: " "))" },
      next: "rename one of them, or take the copy out of the archive")
  }

  static func doubled(_ name: String, as other: String) -> ReplayError {
    ReplayError(
      .usage, "one file is in the archive by two names: \(shown(name))", details: ["the other name: \(shown(other))"],
      next: "list every file once, or leave --follow-symlinks out")
  }

  static func doubled(_ name: String) -> ReplayError {
    ReplayError(.usage, "a file is listed twice: \(shown(name))", next: "list every file once in --files-from")
  }

  /// Nothing has this path; says which part of it is there and what stands beside.
  static func absent(_ path: String) -> ReplayError {
    var parent = PathText.parent(path)
    var wanted = PathText.last(path)
    while parent != "/", parent != ".", (try? FileFacts.of(parent, follow: true)) ?? nil == nil {
      wanted = PathText.last(parent)
      parent = PathText.parent(parent)
    }
    let names = (try? DirectoryNames.read(parent)) ?? []
    let near = names.filter { Similar.distance($0, wanted) <= max(1, wanted.count / 3) }
      .min { (Similar.distance($0, wanted), $0) < (Similar.distance($1, wanted), $1) }
    return ReplayError(
      .missing, "there is no archive at \(shown(path))", details: ["this much of the path exists: \(shown(parent))"],
      next: near.map { "did you mean \(shown(PathText.join(parent, $0)))?" } ?? "check the path given as --archive")
  }
}

/// How far two names are apart.
public enum Similar {
  /// The number of single-character edits from one to the other.
  public static func distance(_ a: String, _ b: String) -> Int {
    let (left, right) = (Array(a.utf8.prefix(80)), Array(b.utf8.prefix(80)))
    var row = Array(0...right.count)
    for (i, byte) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for j in right.indices {
        let above = row[j + 1]
        row[j + 1] = min(above + 1, row[j] + 1, diagonal + (byte == right[j] ? 0 : 1))
        diagonal = above
      }
    }
    return row[right.count]
  }
}
