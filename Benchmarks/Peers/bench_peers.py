"""Side by side: replay, DuckDB, chDB, Polars and a Python loop with orjson, on the same archives and questions.

The warm-up round compares every tool's answer with the rows in replay's SQLite tables, cell by cell, and those with
the generator's tally where it is there; at the first difference this ends with exit 1 and no time is printed. Then
the rounds: every tool in turn, each time a fresh process. The table (Markdown) goes to standard output.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile

import measure
import table

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
CASES = {  # name: question, folder of the archive, codec, tally
    "shade-velocity-zstd": ("shade-velocity", "zstd", "zstd", "tally.json"),
    "shade-velocity-gzip": ("shade-velocity", "gzip", "gzip", "tally.json"),
    "event-counts-hourly": ("event-counts", "hourly", "zstd", "hourly-tally.json"),
    "recently-viewed-zstd": ("recently-viewed", "zstd", "zstd", "tally.json"),
    "recently-viewed-hourly": ("recently-viewed", "hourly", "zstd", "hourly-tally.json"),
}
PEERS = ("duckdb", "chdb", "polars", "orjson", "duckdb+text", "chdb+text", "orjson+text")


def options():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive-dir", default=os.path.join(ROOT, ".build", "bench"),
                        help="has the folders zstd, gzip and hourly and the tallies (default: .build/bench)")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE",
                        help="of " + ", ".join(CASES))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS), metavar="PEER",
                        help="of " + ", ".join(PEERS) + "; none: replay alone")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=600, help="seconds until a run is given up")
    parser.add_argument("--replay", default=os.path.join(ROOT, ".build", "release", "replay"))
    parser.add_argument("--python", default=os.path.join(ROOT, ".build", "peers", "bin", "python"),
                        help="the interpreter that has the packages of requirements.txt")
    parser.add_argument("--raw", help="write every run to this file, as JSON")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    folders = [os.path.join(given.archive_dir, CASES[case][1]) for case in given.cases]
    for path in [given.replay, *([given.python] if given.peers else []), *folders]:
        if not os.path.exists(path):
            parser.error(f"there is no {path}; make bench-peers makes what is missing")
    return given


def note(text):
    """Progress, to standard error: never a time."""
    print(text, file=sys.stderr, flush=True)


class Case:
    """One question on one archive."""

    def __init__(self, name, given, scratch):
        self.name, self.given, self.scratch = name, given, scratch
        self.question, folder, self.codec, tally = CASES[name]
        self.archive = os.path.join(os.path.realpath(given.archive_dir), folder)
        self.tally = os.path.join(given.archive_dir, tally)
        self.store, self.answer = os.path.join(scratch, name + ".db"), os.path.join(scratch, "answer.jsonl")
        self.failed, self.rounds, self.versions = {}, [], {}
        self.peers = [peer for peer in given.peers if "+" not in peer or self.question == "shade-velocity"]

    def run(self, tool, *more):
        """One fresh process of `tool`; replay's writes a new database."""
        if tool == "replay":
            for end in ("", "-wal", "-shm"):
                if os.path.exists(self.store + end):
                    os.remove(self.store + end)
            command = [self.given.replay, "--archive", self.archive, "--function", self.question,
                       "--store", self.store, "--progress", "none"]
        else:
            peer, _, prefilter = tool.partition("+")
            command = [self.given.python, os.path.join(HERE, f"peer_{peer}.py"), self.question, self.archive,
                       self.codec, *(["--prefilter"] if prefilter else []), *more]
        return measure.run(command, self.given.limit)

    def compare(self, name, *other):
        """Ends the program where the rows of replay's store and the other's differ."""
        done = subprocess.run([sys.executable, os.path.join(HERE, "answers.py"), self.question, self.store, *other],
                              capture_output=True, text=True)
        note(f"{self.name}: replay and {name}: {done.stdout.strip() or done.stderr.strip()}")
        if done.returncode:
            sys.exit(f"bench-peers: {self.name}: the answers of replay and {name} differ; no time is printed")

    def warm_up(self):
        """Runs every tool once and compares the answers; a peer that cannot finish is left out from here on."""
        first = self.run("replay")
        if first["failed"]:
            sys.exit(f"bench-peers: {self.name}: replay: {first['failed']}")
        if os.path.exists(self.tally):
            self.compare("the generator's tally", "--tally", self.tally)
        for peer in self.peers:
            run = self.run(peer, "--answer", self.answer)
            if run["failed"]:
                note(f"{self.name}: {peer} did not finish: {run['failed']}")
                self.failed[peer] = run["failed"]
                continue
            self.versions[peer] = run["said"]["version"]
            self.compare(peer, "--answer", self.answer)
            os.remove(self.answer)

    def round(self, number):
        """Every tool once, in turns."""
        note(f"{self.name}: round {number}")
        runs = {}
        for tool in ["replay"] + [peer for peer in self.peers if peer not in self.failed]:
            runs[tool] = self.run(tool)
            if runs[tool]["failed"] and tool == "replay":
                sys.exit(f"bench-peers: {self.name}: replay: {runs[tool]['failed']}")
            if runs[tool]["failed"]:
                self.failed[tool] = f"in round {number}: {runs[tool]['failed']}"
        self.rounds.append(runs)

    def result(self):
        """What the table and the raw file say of this case."""
        sizes = [os.path.getsize(os.path.join(folder, name))
                 for folder, _, names in os.walk(self.archive) for name in names]
        events = None
        if os.path.exists(self.tally):
            with open(self.tally, encoding="utf-8") as text:
                events = json.load(text)["totals"]["events"]
        facts = f"{len(sizes):,} files, {sum(sizes) / 2**20:.1f} MiB {self.codec}"
        facts = (f"{events:,} events, " if events else "") + facts + f"; rounds: {len(self.rounds)}"
        done = [{tool: run for tool, run in runs.items() if tool not in self.failed} for runs in self.rounds]
        return {"case": self.name, "facts": facts, "events": events, "failed": self.failed, "rounds": done,
                "all_rounds": self.rounds, "versions": self.versions}


def machine(given, cases):
    """Where and when, and of which versions."""
    tool = subprocess.run([given.replay, "--version"], capture_output=True, text=True).stdout.strip()
    versions = {peer: version for case in cases for peer, version in case.versions.items() if "+" not in peer}
    return {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "cores": os.cpu_count(), "load_average": os.getloadavg(), "python": platform.python_version(),
            "replay": tool, "peers": versions}


def main():
    given = options()
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as scratch:
        cases = [Case(name, given, scratch) for name in given.cases]
        for case in cases:
            case.warm_up()
        for case in cases:
            for number in range(1, given.rounds + 1):
                case.round(number)
    where, results = machine(given, cases), [case.result() for case in cases]
    if given.raw:
        with open(given.raw, "w", encoding="utf-8") as out:
            json.dump({"machine": where, "cases": results}, out, indent=1)
    peers = ", ".join(f"{peer} {version}" for peer, version in where["peers"].items())
    print(f"{where['date']}, {where['cores']} cores, load average at the end "
          f"{where['load_average'][0]:.1f}; {where['replay']}; {peers}; Python {where['python']}\n")
    print("\n".join(table.case(result["case"], result) for result in results))
    print(table.LEGEND)


if __name__ == "__main__":
    main()
