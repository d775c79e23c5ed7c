import ArgumentParser
import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

struct Manual: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the manual pages: replay.1, and one for each verb.",
    discussion: """
      replay manual --out /usr/local/share/man/man1
      replay manual | man -l -

      Without --out the pages go to standard output, one after another.
      """)

  @Option(help: "Write one file for each page into this directory.")
  var out: String?
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    output.apply()
    let pages = try ManualPages(helpJSON: Root._dumpHelp(), version: Root.configuration.version).pages
    guard let out else {
      Console.shared.raw(pages.map(\.text).joined())
      return
    }
    guard mkdir(out, 0o777) == 0 || errno == EEXIST else {
      let why = String(cString: strerror(errno))
      throw ReplayError(errno == EACCES ? .permission : .cannotCreate, "cannot make \(out): \(why)")
    }
    for page in pages { try OutputFile.write(page.text, to: "\(out)/\(page.name).1") }
    Console.shared.say("replay: \(pages.count) manual pages are in \(out)")
  }
}
