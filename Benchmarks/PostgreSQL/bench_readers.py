"""What readers of a PostgreSQL database feel of a replay into it: alone, beside one, and beside one that is slowed.

Readers are four clients of pgbench that read rows of a table of 200,000 by primary key, at a steady rate, so that they do not
load the machine by themselves. A read's time begins when it was due (pgbench's log has it so with --rate), so a stall
counts for all that waited for it. In each round, in turns: the readers alone for some seconds; beside a replay of `recently-viewed`
into another schema of the same database, for as long as it takes; and the same with --max-target-p99. The rows of both
replays are compared.
"""
import argparse
import glob
import json
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "Tests", "BlackBox"))
from postgres_server import BIN, Server  # noqa: E402

ROWS = 200_000
READ = "\\set id random(1, 200000)\nSELECT id, body FROM readers.item WHERE id = :id;\n"


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default=os.path.join(ROOT, ".build", "release", "replay"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, help="of the archive")
    parser.add_argument("--rate", type=int, default=400, help="reads a second, of all clients together")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20, help="of the readers alone")
    parser.add_argument("--target", help="of --max-target-p99; else --factor times the round's p99 of the readers alone")
    parser.add_argument("--factor", type=float, default=2.0)
    parser.add_argument("--archive", help="keep the archive there, and take it from there")
    parser.add_argument("--nice", type=int, default=0, help="of the replays, as if they were on a machine of their own")
    parser.add_argument("--skip-unthrottled", action="store_true")
    parser.add_argument("--more", nargs="*", default=[], help="flags of both replays")
    parser.add_argument("--raw", help="write every run to this file, as JSON")
    return parser.parse_args()


def archive_of(given, scratch):
    place = given.archive or os.path.join(scratch, "archive")
    if not os.path.isdir(place):
        subprocess.run([sys.executable, os.path.join(ROOT, "fixtures", "generate.py"), "archive", "--out", place,
                        "--events", str(given.events), "--codec", "zstd",
                        *(["--customers", str(given.customers)] if given.customers else [])],
                       check=True, stdout=subprocess.DEVNULL)
    return os.path.join(place, "zstd") if os.path.isdir(os.path.join(place, "zstd")) else place


class Readers:
    """pgbench, from now until `stop`."""

    def __init__(self, server, given, scratch):
        self.home = tempfile.mkdtemp(dir=scratch)
        script = os.path.join(self.home, "read.sql")
        with open(script, "w") as file:
            file.write(READ)
        self.process = subprocess.Popen(
            [f"{BIN}/pgbench", "-n", "-h", server.home, "-p", str(server.port), "-U", "replay", "-f", script, "-c",
             str(given.clients), "-j", "1", "--rate", str(given.rate), "-T", "3600", "--log",
             "--log-prefix", os.path.join(self.home, "log"), "app"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self, begin, end):
        """Milliseconds of each read that ended between these times of day."""
        time.sleep(1.5)  # Its log comes in pieces.
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        took = []
        for path in glob.glob(os.path.join(self.home, "log*")):
            with open(path) as file:
                for line in file:
                    part = line.split()
                    if len(part) < 6:
                        continue
                    at = int(part[4]) + int(part[5]) / 1e6
                    if begin <= at <= end:
                        took.append(int(part[2]) / 1000)
        shutil.rmtree(self.home)
        return sorted(took)


def quantile(took, share):
    return took[max(0, math.ceil(share * len(took)) - 1)]


def figures(took, seconds):
    return {"reads": len(took), "seconds": round(seconds, 2),
            **{name: round(quantile(took, share), 3)
               for name, share in (("p50", 0.5), ("p99", 0.99), ("p99_9", 0.999), ("max", 1))}}


def alone(server, given, scratch):
    readers = Readers(server, given, scratch)
    time.sleep(1)
    begin = time.time()
    time.sleep(given.seconds)
    end = time.time()
    return figures(readers.stop(begin, end), end - begin)


def beside(server, given, scratch, archive, *more):
    server.sql("DROP SCHEMA IF EXISTS rebuilt CASCADE; CREATE SCHEMA rebuilt")
    server.sql("CHECKPOINT")
    readers = Readers(server, given, scratch)
    time.sleep(1)
    begin = time.time()
    done = subprocess.run(
        ["nice", "-n", str(given.nice), given.tool, "--archive", archive, "--function", "recently-viewed", "--store",
         server.address("rebuilt"), "--json", "--progress", "none", *given.more, *more], capture_output=True, text=True)
    end = time.time()
    took = readers.stop(begin, end)
    if done.returncode != 0:
        sys.exit(done.stderr)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    summary = next(event for event in events if event["message_type"] == "summary")
    found = figures(took, end - begin)
    found["commits"], found["rows_written"] = summary["commits"], summary["rows_written"]
    throttle = [event for event in events if event["message_type"] == "throttle"]
    if throttle:
        found["throttle"] = {name: value for name, value in throttle[-1].items() if name != "message_type"}
    found["rows"] = server.sql("SELECT count(*), md5(string_agg(t::text, '' ORDER BY customer, rank)) "
                               "FROM rebuilt.recently_viewed t")[0]
    return found


def load():
    return round(os.getloadavg()[0], 2)


def main():
    given = options()
    scratch = tempfile.mkdtemp()
    server = Server()
    rounds = []
    try:
        archive = archive_of(given, scratch)
        server.sql(f"CREATE SCHEMA readers; CREATE TABLE readers.item (id bigint PRIMARY KEY, body text); INSERT INTO readers.item "
                   f"SELECT n, repeat(md5(n::text), 3) FROM generate_series(1, {ROWS}) n")
        server.sql("VACUUM ANALYZE readers.item")
        for number in range(given.rounds):
            one = {"load": load(), "alone": alone(server, given, scratch)}
            if not given.skip_unthrottled:
                one["unthrottled"] = beside(server, given, scratch, archive)
            target = given.target or f"{max(1, round(given.factor * one['alone']['p99']))}ms"
            one["target"] = target
            one["throttled"] = beside(server, given, scratch, archive, "--max-target-p99", target)
            one["load_after"] = load()
            rounds.append(one)
            if "unthrottled" in one and one["unthrottled"]["rows"] != one["throttled"]["rows"]:
                sys.exit("the rows of the two replays differ")
            tell(number, one)
    finally:
        server.close()
        shutil.rmtree(scratch, ignore_errors=True)
    tell_all(rounds)
    if given.raw:
        with open(given.raw, "w") as file:
            json.dump({"machine": platform.platform(), "arguments": sys.argv[1:], "rounds": rounds}, file, indent=1)


def tell(number, one):
    for name in ("alone", "unthrottled", "throttled"):
        if name in one:
            found = one[name]
            more = f"  share {found['throttle']['share']:.3f}, {found['commits']} commits" if "throttle" in found else ""
            print(f"{number}  {name:12} {found['seconds']:7.1f} s  p50 {found['p50']:8.2f}  p99 {found['p99']:8.2f}  "
                  f"p99.9 {found['p99_9']:8.2f}  max {found['max']:8.2f} ms  {found['reads']} reads{more}", flush=True)
    print(f"{number}  target {one['target']}, load {one['load']} to {one['load_after']}", flush=True)


def tell_all(rounds):
    for name in ("unthrottled", "throttled"):
        ratios = sorted(one[name]["p99"] / one["alone"]["p99"] for one in rounds if name in one)
        seconds = sorted(one[name]["seconds"] for one in rounds if name in one)
        if ratios:
            print(f"{name}: p99 {statistics.median(ratios):.2f} times that of the readers alone "
                  f"({ratios[0]:.2f} to {ratios[-1]:.2f}), {statistics.median(seconds):.1f} s")


if __name__ == "__main__":
    main()
