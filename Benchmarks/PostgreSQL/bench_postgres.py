"""Functions into PostgreSQL beside SQLite: the same archive, in pairs, each into a store of its own. After each pair all rows
of all tables are compared, replay's own among them. The server is the benchmark's own, with its defaults (fsync on), in the same
directory as the SQLite files (`--place`). Printed is the rate in PostgreSQL by that in SQLite. `--raw PATH` keeps every run.
"""
import argparse, json, os, platform, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "Tests", "BlackBox"))

from postgres_rows import Undisturbed  # noqa: E402
from postgres_server import Server  # noqa: E402


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", default=os.path.join(ROOT, ".build", "bench", "zstd"))
    parser.add_argument("--functions", nargs="+", default=["recently-viewed"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--replay", default=os.path.join(ROOT, ".build", "release", "replay"))
    parser.add_argument("--place", help="where the stores are (default: the system's temporary directory)")
    parser.add_argument("--flags", nargs=argparse.REMAINDER, default=[], help="more flags of replay, last")
    parser.add_argument("--raw")
    return parser.parse_args()


def timed(given, store):
    """Seconds, and what the run says of itself."""
    functions = [part for name in given.functions for part in ("--function", name)]
    command = [given.replay, "--archive", given.archive, *functions, "--store", store, "--progress", "none", *given.flags]
    began, load = time.perf_counter(), os.getloadavg()[0]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {"store": store.split(":")[0].split("/")[-1], "seconds": time.perf_counter() - began, "load": load,
            "said": [line for line in done.stderr.splitlines() if "done in" in line or "rows written" in line]}


def pair(given, server, number, work):
    schema, path = f"round{number}", os.path.join(work, f"round{number}.db")
    server.sql(f"CREATE SCHEMA {schema}")
    stores = [path, server.address(schema)]
    runs = {store: timed(given, store) for store in (stores if number % 2 else reversed(stores))}
    undisturbed = Undisturbed(path, server)
    if problem := undisturbed.difference(schema):
        raise SystemExit(f"the rows differ: {problem}")
    rows = {name: undisturbed.digests[name] for name in undisturbed.tables if not name.startswith("_")}
    server.sql(f"SET client_min_messages = error; DROP SCHEMA {schema} CASCADE")
    os.remove(path)
    return {"sqlite": runs[stores[0]], "postgres": runs[stores[1]], "rows": rows}


def main():
    given, raw = options(), []
    server = Server(home=given.place)
    try:
        with tempfile.TemporaryDirectory(dir=given.place) as work:
            for number in range(1, given.rounds + 1):
                raw.append(pair(given, server, number, work))
                sqlite, postgres = (raw[-1][name]["seconds"] for name in ("sqlite", "postgres"))
                print(f"round {number}: SQLite {sqlite:.1f} s, PostgreSQL {postgres:.1f} s, ratio {sqlite / postgres:.2f}, "
                      f"load {raw[-1]['sqlite']['load']:.1f} and {raw[-1]['postgres']['load']:.1f}; rows equal: "
                      + ", ".join(f"{count:,} of {name}" for name, (count, _) in raw[-1]["rows"].items()), flush=True)
    finally:
        server.close()
    ratios = [one["sqlite"]["seconds"] / one["postgres"]["seconds"] for one in raw]
    print(f"{' and '.join(given.functions)}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) of SQLite's rate")
    if given.raw:
        with open(given.raw, "w") as out:
            json.dump({"machine": platform.platform(), "processors": os.cpu_count(), "functions": given.functions,
                       "archive": given.archive, "flags": given.flags, "rounds": raw}, out, indent=1)


if __name__ == "__main__":
    main()
