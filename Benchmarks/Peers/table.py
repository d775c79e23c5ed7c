"""The Markdown table of a run: medians of each tool's rounds, and the median of the ratios within the rounds."""
from statistics import median

LEGEND = """\
- Every run is a fresh process, one after another, in turns: replay, then each peer, and again.
- **seconds** of a peer are its query alone, until the answer is in its memory: without the interpreter's start, without
  imports, without keeping the answer. **seconds** of replay are its whole process, and the answer is then in a new
  SQLite database with the positions it can resume from. That favours the peers. **process** is the whole process of
  either.
- **ratio**: peer's seconds / replay's seconds of the same round, the median of all rounds (least–greatest); above 1,
  replay was faster.
- **CPU** (user and system, all threads and children) and **peak** memory (of the largest process; orjson has one for
  each core and one more) are of the whole process.
- A name with **+text** skips lines without `retail.item.sold` before it parses: faster, but it would miss a type that
  was written with an escape (`\\u002e`), which the others and replay would find."""

HEAD = ("| tool | seconds | ratio | process | CPU s | peak MiB | events a second |\n"
        "|---|---:|---:|---:|---:|---:|---:|\n")


def seconds(run):
    """What counts as the run's time: what a peer says of its query, else the whole process."""
    return run["said"].get("seconds", run["wall"])


def ratio(tool, rounds):
    """The median over rounds of tool / replay, and its least and greatest."""
    found = [seconds(both[tool]) / seconds(both["replay"]) for both in rounds]
    return median(found), min(found), max(found)


def row(tool, rounds, events):
    """One line of the table."""
    runs = [both[tool] for both in rounds]
    def middle(of):
        return median(map(of, runs))
    spread = "{:.2f} ({:.2f}–{:.2f})" if len(rounds) > 1 else "{:.2f}"
    told = "1" if tool == "replay" else spread.format(*ratio(tool, rounds))
    rate = f"{events / middle(seconds) / 1e6:.2f} M" if events else "–"
    return (f"| {tool} | {middle(seconds):.2f} | {told} | {middle(lambda run: run['wall']):.2f} "
            f"| {middle(lambda run: run['cpu']):.2f} | {middle(lambda run: run['peak_mib']):.0f} | {rate} |\n")


def case(title, result):
    """The table of one case: `rounds` is a list of tool -> run, `failed` tool -> reason."""
    lines = f"### {title}\n\n{result['facts']}\n\n{HEAD}"
    for tool in result["rounds"][0]:
        lines += row(tool, result["rounds"], result["events"])
    for tool, reason in result["failed"].items():
        lines += f"| {tool} | did not finish: {reason.replace('|', '/')} | | | | | |\n"
    return lines
