import Glibc
import ReplayArchive
import ReplayCore
import Testing

/// A directory of its own, gone at the end.
final class Temporary {
  let path: String

  init() {
    var template = Array("/tmp/replay-archive-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)!) }
  }

  deinit { Temporary.removeAll(path) }

  private static func removeAll(_ path: String) {
    if remove(path) == 0 { return }
    guard let directory = opendir(path) else { return }
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(cString: $0.bindMemory(to: CChar.self).baseAddress!)
      }
      if name != ".", name != ".." { removeAll(path + "/" + name) }
    }
    closedir(directory)
    remove(path)
  }

  /// Writes a file and the directories above it; gives the path back.
  @discardableResult func write(_ name: String, _ content: String = "x") -> String {
    var directory = path
    for part in name.split(separator: "/").dropLast() {
      directory += "/" + part
      mkdir(directory, 0o755)
    }
    let file = fopen(path + "/" + name, "w")
    defer { fclose(file) }
    fputs(content, file)
    return path + "/" + name
  }

  func link(_ target: String, _ name: String) { symlink(target, path + "/" + name) }
}

@Suite struct DirectoryTests {
  let home = Temporary()

  private func names(_ location: ArchiveLocation, follow: Bool = false) throws -> [String] {
    try DirectorySource(location, followSymlinks: follow).list().map(\.name).sorted()
  }

  @Test func nestedFilesAndWhatIsPassedOver() throws {
    for name in ["a/b/c.json", "a/d.json", "e.json", ".git/x", "a/.hidden", "_SUCCESS", "e.json.crc", "f.tmp", "g~"] {
      home.write(name)
    }
    home.link("e.json", "link")
    let listing = try DirectorySource(.directory(home.path)).scan()
    #expect(listing.entries.map(\.name).sorted() == ["a/b/c.json", "a/d.json", "e.json"])
    #expect(listing.ignored == [.hidden: 2, .marker: 1, .checksum: 1, .temporary: 2, .symlink: 1])
    #expect(listing.entries.allSatisfy { $0.size == 1 && UInt64($0.version) ?? 0 > 1_600_000_000_000_000_000 })
  }

  @Test func symbolicLinks() throws {
    let other = Temporary()
    other.write("x/y.json")
    home.link(other.path + "/x", "dir")
    other.write("z.json")
    home.link(other.path + "/z.json", "file")
    #expect(try names(.directory(home.path)) == [])
    #expect(try names(.directory(home.path), follow: true) == ["dir/y.json", "file"])
    home.link(other.path + "/x/y.json", "again")
    #expect(failure { _ = try names(.directory(home.path), follow: true) }?.summary.contains("two names") == true)
    unlink(home.path + "/again")
    home.link("nowhere", "broken")
    #expect(failure { _ = try names(.directory(home.path), follow: true) }?.code == .missing)
  }

  @Test func aLinkThatLeadsBack() {
    home.write("a/x.json")
    home.link("..", "a/up")
    #expect(failure { _ = try names(.directory(home.path), follow: true) }?.summary.contains("leads back") ?? false)
  }

  @Test func otherThanFilesAreRefused() throws {
    mkfifo(home.path + "/pipe", 0o644)
    let error = failure { _ = try names(.directory(home.path)) }
    #expect(error?.code == .data && error?.details.first?.contains("FIFO") ?? false)
    #expect(failure { _ = try ArchiveLocation.find(home.path + "/pipe") }?.code == .data)
    let entry = SegmentEntry(name: "pipe", size: 0, version: "0")
    #expect(failure { _ = try DirectorySource(.directory(home.path)).open(entry) }?.code == .data)
  }

  @Test func locations() throws {
    home.write("sub/a-1.json")
    home.write("sub/a-2.json")
    home.write("sub/deep/a-3.json")
    home.write("b.json")
    #expect(try ArchiveLocation.find(home.path) == .directory(home.path))
    #expect(try names(try .find(home.path + "/b.json")) == ["b.json"])
    #expect(try names(try .find(home.path + "/sub/*.json")) == ["a-1.json", "a-2.json"])
    #expect(try names(try .find(home.path + "/s?b/a-[13].json")) == ["sub/a-1.json"])
    #expect(try names(try .find(home.path + "/**/a-[!1].json")) == ["sub/a-2.json", "sub/deep/a-3.json"])
    #expect(failure { _ = try names(.glob(home.path + "/*.gz")) }?.code == .missing)
    let listed = ArchiveLocation.list(["./b.json", home.path + "/sub/a-1.json"], root: home.path)
    #expect(try names(listed) == ["./b.json", home.path + "/sub/a-1.json"].sorted())
    #expect(failure { _ = try names(.list(["b.json", "b.json"], root: home.path)) }?.code == .usage)
    #expect(failure { _ = try names(.list(["c.json"], root: home.path)) }?.code == .missing)
  }

  @Test func aMissingArchiveSuggestsTheNearest() {
    home.write("archive/a")
    let error = failure { _ = try ArchiveLocation.find(home.path + "/archvie/2024") }
    #expect(error?.code == .missing)
    #expect(error?.next == "did you mean \(home.path)/archive?")
    #expect(failure { _ = try names(.directory(home.path + "/zzzzzz")) }?.code == .missing)
  }

  @Test func unreadable() throws {
    home.write("closed/a.json")
    home.write("b.json")
    chmod(home.path + "/b.json", 0)
    try asNobody {
      let source = DirectorySource(.directory(home.path + "/closed"))
      chmod(home.path, 0o755)
      #expect(try source.list().count == 1)
      let entry = try #require(try DirectorySource(.file(home.path + "/b.json")).list().first)
      #expect(failure { _ = try DirectorySource(.file(home.path + "/b.json")).open(entry) }?.code == .permission)
    }
    chmod(home.path + "/closed", 0)
    asNobody {
      #expect(failure { _ = try names(.directory(home.path)) }?.code == .permission)
    }
    chmod(home.path + "/closed", 0o755)
  }

  /// Runs with another user's rights to files, where this is root's thread; as it is otherwise.
  private func asNobody<R>(_ body: () throws -> R) rethrows -> R {
    chmod(home.path, 0o755)
    guard geteuid() == 0, let address = dlsym(nil, "setfsuid") else { return try body() }
    let change = unsafeBitCast(address, to: (@convention(c) (UInt32) -> Int32).self)
    _ = change(65_534)
    defer { _ = change(0) }
    return try body()
  }
}

@Suite struct ReadingTests {
  let home = Temporary()

  private func open(_ name: String) throws -> (SegmentEntry, any SegmentReader) {
    let source = DirectorySource(.directory(home.path))
    let entry = try #require(try source.list().first { $0.name == name })
    return (entry, try source.open(entry))
  }

  private func drain(_ reader: any SegmentReader) throws -> Int {
    var count = 0
    while true {
      let bytes = try reader.next()
      if bytes.isEmpty { return count }
      count += bytes.count
    }
  }

  private func touch(_ path: String) {
    var times = [timespec(tv_sec: 1, tv_nsec: 5), timespec(tv_sec: 1, tv_nsec: 5)]
    utimensat(AT_FDCWD, path, &times, 0)
  }

  @Test(arguments: [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_000])
  func readsEveryByte(_ size: Int) throws {
    home.write("f", String(repeating: "r", count: size))
    let (entry, reader) = try open("f")
    #expect(entry.size == UInt64(size))
    #expect(try drain(reader) == size)
    #expect(try reader.next().isEmpty)
  }

  @Test func changedBeforeReading() throws {
    let path = home.write("f", "one")
    let source = DirectorySource(.directory(home.path))
    let entry = try #require(try source.list().first)
    home.write("f", "three")
    let error = failure { _ = try source.open(entry) }
    #expect(error?.code == .data && error?.summary.contains("changed while it was read") ?? false)
    #expect(error?.details[0].contains("3 bytes") ?? false)
    #expect(error?.details[1].contains("5 bytes") ?? false)
    home.write("f", "two")
    touch(path)
    #expect(failure { _ = try source.open(entry) }?.code == .data)
  }

  @Test(arguments: ["touched", "truncated", "grown"])
  func changedWhileReading(_ how: String) throws {
    let path = home.write("f", String(repeating: "r", count: 3 << 20))
    let (_, reader) = try open("f")
    _ = try reader.next()
    switch how {
    case "touched": touch(path)
    case "truncated": truncate(path, 2 << 20)
    default: truncate(path, 4 << 20)
    }
    #expect(failure { _ = try drain(reader) }?.summary.contains("changed while it was read") ?? false)
  }

  @Test func vanished() throws {
    let path = home.write("f")
    let source = DirectorySource(.directory(home.path))
    let entry = try #require(try source.list().first)
    unlink(path)
    let error = failure { _ = try source.open(entry) }
    #expect(error?.code == .missing && error?.summary.contains(path) ?? false)
  }

  @Test func aLinkInAFilesPlaceIsNotFollowed() throws {
    let path = home.write("f")
    let source = DirectorySource(.directory(home.path))
    let entry = try #require(try source.list().first)
    unlink(path)
    home.write("g")
    home.link("g", "f")
    #expect(failure { _ = try source.open(entry) }?.details == ["Too many levels of symbolic links"])
  }
}
