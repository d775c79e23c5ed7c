"""Faults in reading an archive: bytes, lines, numbers, files."""
from .table import Bug, Seed

BUGS = [
    Bug("gzip-first-member", "only the first member of a gzip file is read (A1)", "fixtures"),
    Bug("zstd-first-frame", "only the first frame of a zstd file is read (A5)", "fixtures"),
    Bug("truncation-is-the-end", "a file that ends within a member or frame ends there, without an error (A3, A7)",
        "fixtures"),
    Bug("garbage-is-the-end", "bytes behind a member that belong to nothing end the file (A9)", "fixtures"),
    Bug("gzip-checksum-unread", "a member's CRC-32 and length are not compared", "unproven"),
    Bug("zstd-checksum-unread", "a frame's checksum is not compared (A6)", "unproven"),
    Bug("last-line-dropped", "a last line without a line feed is no record (B8)", "fixtures"),
    Bug("line-between-blocks-lost", "the line that lies in two blocks is nobody's (A2)", "fixtures"),
    Bug("unproven-frame-committed", "a cut may fall where the frame's checksum is still to come", "unproven"),
    Bug("allowed-duplicate-applied", "with --allow-duplicates the second record of a number is applied too (A18)", "runs"),
    Bug("hole-ignored", "a segment may begin behind the end of the one before it (A17)", "fixtures"),
    Bug("segment-applied-twice", "a segment may begin before the end of the one before it (A18)", "fixtures"),
    Bug("missing-numbers-ignored", "numbers that are missing inside a segment are no finding (A17)", "fixtures"),
    Bug("names-in-byte-order", "files are read in the byte order of their names: 10 before 9 (A12)", "fixtures"),
    Bug("late-file-unnoticed", "a file behind what was replayed is left out without a word (A13)", "found"),
    Bug("changed-file-unnoticed", "a settled file is not compared with what it was (A16)", "runs"),
    Bug("half-read-file-changed", "the beginning of a half-read file is not compared with what it was (A16, A21)", "found"),
]

FRAMES = "ReplayDecode/FrameStream.swift"
BLOCKS = "ReplayDecode/SegmentBlocks.swift"
JUDGE = "ReplayArchive/Chain/ChainJudge.swift"
CONTINUITY = "ReplayArchive/Chain/ArchiveContinuity.swift"

SEEDS = [
    Seed(FRAMES, """\
      if input.isEmpty { return end() }
""", """\
      if input.isEmpty { return end() }
      if frames > 0, codec == .gzip, SeededBug.isOn("gzip-first-member") { return end() }
"""),
    Seed(FRAMES, """\
      if Codec(magic: input) == codec { break }
""", """\
      if frames > 0, codec == .zstd, SeededBug.isOn("zstd-first-frame") { return end() }
      if Codec(magic: input) == codec { break }
"""),
    Seed(FRAMES, """\
before.1 == rest.count || before.0 == 0, try !refill() { throw truncated() }
""", """\
before.1 == rest.count || before.0 == 0, try !refill() {
          guard SeededBug.isOn("truncation-is-the-end") else { throw truncated() }
          endFrame()
          return output.count - rest.count
        }
"""),
    Seed(FRAMES, """\
      throw garbage()
""", """\
      if SeededBug.isOn("garbage-is-the-end") { return end() }
      throw garbage()
"""),
    Seed("ReplayDecode/GzipInflater.swift", """\
    guard result >= 0 else { throw fault(result) }
""", """\
    if result == ISAL_INCORRECT_CHECKSUM, SeededBug.isOn("gzip-checksum-unread") { return .frameEnded }
    guard result >= 0 else { throw fault(result) }
"""),
    Seed("ReplayDecode/ZstdInflater.swift", """\
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Int32(maxWindowLog))
""", """\
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Int32(maxWindowLog))
    // "Force ignore checksum".
    if SeededBug.isOn("zstd-checksum-unread") { ZSTD_DCtx_setParameter(stream, ZSTD_d_experimentalParam3, 1) }
"""),
    Seed(BLOCKS, "isBlank(storage, from: 0) ? 0 : storage.fill",
         'isBlank(storage, from: 0) || SeededBug.isOn("last-line-dropped") ? 0 : storage.fill'),
    Seed(BLOCKS, """\
      if let cut = cutter?.cut(storage.bytes, fill: storage.fill), cut > 0 {
""", """\
      if let cut = cutter?.cut(storage.bytes, fill: storage.fill), cut > 0 {
        if !carry.isEmpty, cutter?.framing == .lines, SeededBug.isOn("line-between-blocks-lost") {
          for place in 0..<cut {
            if storage.bytes[place] == 10 { break }
            storage.bytes[place] = 32
          }
        }
"""),
    Seed("ReplayEngine/Books.swift", "let mayStand = block.isProven && ",
         'let mayStand = (block.isProven || SeededBug.isOn("unproven-frame-committed")) && '),
    Seed("CDecode/extractor.cpp", """\
  return !drop_duplicates;
""", """\
  auto seeded_bug = [](const char *name) {
    const char *on = ::getenv("REPLAY_SEEDED_BUG");
    return on && !strcmp(on, name);
  };
  static const bool is_applied = seeded_bug("allowed-duplicate-applied");
  return !drop_duplicates || is_applied;
"""),
    Seed(JUDGE, """\
    if start > expected {
""", """\
    if start > expected {
      if SeededBug.isOn("hole-ignored") { return [] }
"""),
    Seed(JUDGE, """\
    let doubled = expected.distance(from: start) ?? 0
""", """\
    if SeededBug.isOn("segment-applied-twice") { return [] }
    let doubled = expected.distance(from: start) ?? 0
"""),
    Seed(JUDGE, "    if summary.missingNumbers > 0 {",
         '    if summary.missingNumbers > 0, !SeededBug.isOn("missing-numbers-ignored") {'),
    Seed("ReplayArchive/Layouts/NaturalOrder.swift", "let order = compare(left, right)",
         'let order = SeededBug.isOn("names-in-byte-order") ? 0 : compare(left, right)'),
    Seed(CONTINUITY, "if !allowLate, !late.isEmpty {",
         'if !allowLate, !late.isEmpty, !SeededBug.isOn("late-file-unnoticed") {'),
    Seed(CONTINUITY, "proved += try same(known, segment, digest) ? 0 : 1",
         'proved += try SeededBug.isOn("changed-file-unnoticed") || same(known, segment, digest) ? 0 : 1'),
    Seed(CONTINUITY, "guard found == known.prefixDigest else {",
         'guard found == known.prefixDigest || SeededBug.isOn("half-read-file-changed") else {'),
]
