import ReplayCore
import Testing

/// What an error shows is text of ours and of others: names, answers, events.
struct ErrorTextTests {
  @Test(arguments: [
    ("retail/0, größe 💄\u{a0}…", "retail/0, größe 💄\u{a0}…"), ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
    ("a\nreplay: done", "a\\u{a}replay: done"), ("\0\t\r\u{1f}", "\\u{0}\\u{9}\\u{d}\\u{1f}"),
    ("\u{7f}\u{80}\u{9b}\u{9f}", "\\u{7f}\\u{80}\\u{9b}\\u{9f}"), ("", ""),
  ]) func aLineSteersNoTerminalAndStaysOne(text: String, shown: String) {
    #expect(ReplayError.line(text) == shown)
    #expect(ReplayError.line(shown) == shown)
  }

  @Test func anErrorHasALineForEachOfItsParts() {
    let error = ReplayError(
      .data, "a\nreplay: done", details: ["b\u{1b}c", "d\re"], effect: "nothing\nat all", next: "x\n")
    #expect(
      error.description.split(separator: "\n", omittingEmptySubsequences: false) == [
        "replay: a\\u{a}replay: done", "  b\\u{1b}c", "  d\\u{d}e", "  effect: nothing\\u{a}at all",
        "  next:   x\\u{a}",
      ])
  }
}
