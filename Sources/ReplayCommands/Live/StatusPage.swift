/// The page at `/`: one file without a word from elsewhere, which asks `/status` every second.
enum StatusPage {
  static let html = """
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <meta name="color-scheme" content="light dark">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; connect-src 'self'; \
    img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
    <link rel="icon" href="data:,">
    <title>replay</title>
    \(style)
    <main>
    <header id="verdict" class="wait"><b id="phase">asking …</b><span id="why"></span></header>
    <p id="facts"></p>
    <h2>Partitions</h2>
    <table><thead><tr><th>partition<th>archive next<th>next<th>committed<th>end<th>gap<th>lag<th></thead>
    <tbody id="partitions"></tbody></table>
    <section id="handoff" hidden>
    <h2>Handoff</h2>
    <p id="proof"></p>
    <table><thead><tr><th>partition<th>class<th>archive next<th>live from<th>compared<th>hole</thead>
    <tbody id="proofs"></tbody></table>
    </section>
    <footer><a href="status">status</a> <a href="metrics">metrics</a> <a href="readyz">readyz</a></footer>
    </main>
    \(script)
    </html>

    """

  private static let style = """
    <style>
    :root { --back: #fff; --text: #1a1c1e; --quiet: #667; --line: #dde; --good: #1a7f4b; --wait: #9a6700; --bad: #b3261e }
    @media (prefers-color-scheme: dark) {
      :root { --back: #14161a; --text: #e4e6ea; --quiet: #99a; --line: #2c3038; --good: #4cc38a; --wait: #e0a73a; --bad: #ff7b72 }
    }
    body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.45 system-ui, sans-serif }
    main { max-width: 60rem; margin: 0 auto; padding: 1rem }
    header { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; padding: .7rem 1rem; border-left: .4rem solid }
    header b { font-size: 1.25rem }
    header span { color: var(--text) }
    .good { color: var(--good) } .wait { color: var(--wait) } .bad { color: var(--bad) }
    h2 { font-size: 1rem; margin: 1.4rem 0 .4rem }
    p, footer, th { color: var(--quiet) }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
    th, td { text-align: right; padding: .25rem .5rem; border-bottom: 1px solid var(--line); font-weight: normal }
    th:first-child, td:first-child { text-align: left }
    section { overflow-x: auto } footer { margin-top: 1.5rem } a { color: inherit }
    </style>
    """

  /// Everything that comes from a run is set as text, never as markup.
  private static let script = """
    <script>
    const at = id => document.getElementById(id)
    const count = value => value == null ? "–" : value.toLocaleString("en")
    const seconds = value => value == null ? "–" : value < 1 ? "0 s" : Math.round(value) + " s"
    const fill = (id, rows) => at(id).replaceChildren(...rows.map(cells => {
      const row = document.createElement("tr")
      for (const cell of cells) row.insertCell().textContent = cell ?? "–"
      return row
    }))
    function show(s) {
      const good = s.caught_up, bad = s.phase == "failed"
      at("verdict").className = bad ? "bad" : good ? "good" : "wait"
      at("phase").textContent = good ? "caught up" : s.phase
      at("why").textContent = s.not_ready ?? "everything that the stream has is applied and committed"
      at("facts").textContent = [s.functions.join(" + "), count(s.events) + " events", count(s.rows) + " rows",
        count(s.commits) + " commits", "since " + s.started_at, s.version].join(" · ")
      fill("partitions", s.partitions.map(p => [p.partition, p.archive_next, p.next, p.committed, p.end, count(p.gap),
        seconds(p.lag_seconds), p.caught_up ? "✓" : "…"]))
      at("handoff").hidden = !s.handoff
      if (!s.handoff) return
      at("proof").textContent = s.handoff.stream + ", " + s.handoff.at
      fill("proofs", s.handoff.partitions.map(p => [p.partition, p.class, p.archive_next, p.live_first,
        count(p.overlap_compared), count(p.hole)]))
    }
    async function ask() {
      try { show(await (await fetch("status")).json()) } catch {
        at("verdict").className = "bad"
        at("phase").textContent = "no answer"
        at("why").textContent = "the run is over, or was killed; what is below was its last word"
      }
      setTimeout(ask, 1000)
    }
    ask()
    </script>
    """
}
