"""The live stream: how soon an event's row is there, and how fast a backlog is caught up with.

Steady: events are appended at a rate, to four partitions in turn every 10 ms; each is a sale of its partition's own
shade, so that `units` of the table's row says how many of them are visible. The rows are polled every millisecond by
a read-only connection. An event's time begins before it is handed to the appender and ends with the first poll that
saw it; what a poll itself takes is printed too.

Catch-up: a topic with a backlog is read by librdkafka alone (`kafka-probe consume`) and by `replay --live
--until-caught-up`, in turns; then the same events as a directory. The live phase is taken twice: as replay
says it ("caught up in", with its questions about where the partitions begin and end), and from the line "following"
to that one. The rows of every run are compared with a tally made here.
"""
import argparse
import json
import os
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import sqlite3

import scene

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
LANES = 4


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", default=os.path.join(ROOT, ".build", "release"),
                        help="has replay, kafka-mock and kafka-probe")
    parser.add_argument("--rates", type=int, nargs="*", default=[100, 2000], help="events a second; none: no such part")
    parser.add_argument("--seconds", type=float, default=10, help="of each steady run")
    parser.add_argument("--rounds", type=int, default=5, help="of the catch-up; 0: no such part")
    parser.add_argument("--partitions", type=int, default=64, help="of the catch-up")
    parser.add_argument("--events", type=int, default=13000,
                        help="of each partition: the mock cluster keeps 5 MiB of one")
    parser.add_argument("--raw", help="write every run to this file, as JSON")
    return parser.parse_args()


def tool(given, name):
    return os.path.join(given.tools, name)


def command(given, scratch, stream, store, *more):
    return [tool(given, "replay"), "--archive", os.path.join(scratch, "archive"), "--function", "shade-velocity", "--store",
            store, "--live", stream.address, "--progress", "none", *more]


def follow(arguments):
    """The lines of a run's standard error, and when each came. A run that fails is told with all of them."""
    words = []
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    for text in process.stderr:
        words.append(text)
        yield process, time.perf_counter(), text.rstrip()
    if process.wait() not in (0, 130):
        raise RuntimeError(f"exit {process.returncode} of {' '.join(arguments)}\n{''.join(words)}")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def visible(store, stop, seen, costs):
    """Notes when each partition's count grew, and what a look takes."""
    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True, isolation_level=None)
    while not stop.is_set():
        began = time.perf_counter()
        found = database.execute("SELECT shade, units FROM shade_velocity").fetchall()
        now = time.perf_counter()
        costs.append(now - began)
        for shade, units in found:
            own = seen[int(shade[1:])]
            own.extend([now] * (units - len(own)))
        time.sleep(0.001)
    database.close()


def produce(stream, lines, rate, seconds, scratch):
    """Appends at the rate; when each event was handed over, and when it was acknowledged."""
    times = [[(0, 0)] * scene.ARCHIVED for _ in range(LANES)]
    began, done, tick = time.perf_counter(), 0, 0
    while (passed := time.perf_counter() - began) < seconds:
        count = int(passed * rate) - done
        if count > 0:
            own = times[tick % LANES]
            batch = lines[tick % LANES][len(own):len(own) + count]
            handed = time.perf_counter()
            stream.append(tick % LANES, batch, scratch)
            own += [(handed, time.perf_counter())] * len(batch)
            done += len(batch)
            tick += 1
        time.sleep(max(0.0, 0.01 - (time.perf_counter() - began - passed)))
    return times, done / (time.perf_counter() - began)


def steady(given, kind, rate):
    scratch = tempfile.mkdtemp(prefix="replay-steady-")
    lines = [[scene.line(scene.sale(p, n)) for n in range(scene.ARCHIVED + int(rate * given.seconds * 0.6) + 200)]
             for p in range(LANES)]
    scene.archive(os.path.join(scratch, "archive"), lines)
    if kind == "dir":
        stream = scene.Directory(tool(given, "replay"), os.path.join(scratch, "retail"))
    else:
        stream = scene.Mock(tool(given, "kafka-mock"), "retail")
        stream.ask(f"create retail {LANES}")
    for partition in range(LANES):
        stream.append(partition, lines[partition][:scene.ARCHIVED], scratch)
    store = os.path.join(scratch, "store.db")
    stop, seen, costs, result = threading.Event(), [[] for _ in range(LANES)], [], {}
    watcher = threading.Thread(target=visible, args=(store, stop, seen, costs))

    def load(process):
        watcher.start()
        times, achieved = produce(stream, lines, rate, given.seconds, scratch)
        deadline = time.perf_counter() + 20
        while any(len(s) < len(t) for s, t in zip(seen, times)) and time.perf_counter() < deadline:
            time.sleep(0.01)
        stop.set()
        watcher.join()
        process.send_signal(2)
        result.update(times=times, rate=achieved)

    loader = None
    for process, _, text in follow(command(given, scratch, stream, store)):
        if "caught up in" in text and loader is None:
            loader = threading.Thread(target=load, args=(process,))
            loader.start()
    loader.join()
    stream.close()
    if [len(s) for s in seen] != [len(t) for t in result["times"]]:
        raise RuntimeError("not every event became visible, or one did twice")
    pairs = [(at - handed, at - acknowledged) for own, ats in zip(result["times"], seen)
             for (handed, acknowledged), at in list(zip(own, ats))[scene.ARCHIVED:]]
    shutil.rmtree(scratch)

    def spread(place):
        return {f"p{int(share * 100)}_ms": round(percentile([p[place] for p in pairs], share) * 1000, 1)
                for share in (0.5, 0.99)}

    return {"part": "steady", "stream": kind, "rate_wanted": rate, "rate": round(result["rate"]), "events": len(pairs),
            "append_to_row": spread(0), "acknowledged_to_row": spread(1),
            "poll_ms": {"p50": round(percentile(costs, 0.5) * 1000, 3), "p99": round(percentile(costs, 0.99) * 1000, 3)}}


def caught_up(given, scratch, stream, expected):
    """One replay into a new store: seconds of the live phase."""
    store = os.path.join(scratch, "store.db")
    following = ended = own = None
    for _, at, text in follow(command(given, scratch, stream, store, "--until-caught-up")):
        following = at if "following" in text else following
        if match := re.search(r"live      caught up in ([0-9.]+) (ms|s)", text):
            ended, own = at, float(match[1]) / (1000 if match[2] == "ms" else 1)
    found = scene.digest(scene.rows(store))
    for ending in ("", "-wal", "-shm"):
        if os.path.exists(store + ending):
            os.remove(store + ending)
    if found != expected:
        raise RuntimeError(f"other rows: {found}, expected {expected}")
    return {"seconds": own, "seconds_by_lines": round(ended - following, 4)}


def catch_up(given):
    scratch = tempfile.mkdtemp(prefix="replay-catch-up-")
    chance, sums, partitions = random.Random(1), {}, []
    for partition in range(given.partitions):
        # The same events under other names: random ones for every partition would take minutes.
        base = base if partition else [scene.event(chance, 0, n) for n in range(given.events)]
        partitions.append([scene.line(one).replace(b'"id":"000-', b'"id":"%03d-' % partition) for one in base])
        scene.tally(base, sums)
    expected = scene.digest((shade, *row) for shade, row in sums.items())
    scene.archive(os.path.join(scratch, "archive"), partitions)
    mock = scene.Mock(tool(given, "kafka-mock"), "retail")
    mock.ask(f"create retail {given.partitions}")
    folder = scene.Directory(tool(given, "replay"), os.path.join(scratch, "retail"))
    for partition, lines in enumerate(partitions):
        mock.append(partition, lines, scratch)
        folder.fill(partition, lines)
    total = given.partitions * given.events
    size = sum(map(len, partitions[0])) / given.events
    left = total - given.partitions * scene.ARCHIVED
    del partitions
    note(f"{total} events of {size:.0f} bytes in {given.partitions} partitions; rows {expected}")
    runs = []
    for number in range(given.rounds + 1):
        said = subprocess.run([tool(given, "kafka-probe"), "consume", mock.bootstrap, "retail"], capture_output=True,
                              text=True, check=True).stdout
        events, seconds = re.match(r"events=(\d+) seconds=([0-9.e-]+)", said).groups()
        if int(events) != total:
            raise RuntimeError(f"the topic has {events} events")
        run = {"part": "catch-up", "events": left, "bare": {"events": total, "seconds": float(seconds)}}
        run["kafka"] = caught_up(given, scratch, mock, expected)
        run["dir"] = caught_up(given, scratch, folder, expected)
        for name in ("seconds", "seconds_by_lines"):
            run["ratio of " + name] = round(left / run["kafka"][name] / (total / run["bare"]["seconds"]), 3)
        note(json.dumps(run))
        if number:  # the first one warms up
            runs.append(run)
    mock.close()
    shutil.rmtree(scratch)
    middle = {name: statistics.median((total if name == "bare" else left) / run[name]["seconds"] for run in runs)
              for name in ("bare", "kafka", "dir")}
    summary = {"part": "catch-up medians", "bytes": round(size), "rows": expected,
               "events_per_second": {name: round(value) for name, value in middle.items()},
               **{name: statistics.median(run[name] for run in runs) for name in runs[0] if name.startswith("ratio")}}
    return [*runs, summary]


def note(text):
    print(text, file=sys.stderr, flush=True)


def main():
    given = options()
    runs = [{"part": "machine", "name": platform.platform(), "processors": os.cpu_count(), "load": os.getloadavg()}]
    for rate in given.rates:
        for kind in ("dir", "kafka"):
            runs.append(steady(given, kind, rate))
            note(json.dumps(runs[-1]))
    if given.rounds:
        runs += catch_up(given)
    runs.append({"part": "machine after", "load": os.getloadavg()})
    print(json.dumps([run for run in runs if run["part"] != "catch-up"], indent=1))
    if given.raw:
        with open(given.raw, "w") as file:
            file.write("[\n" + ",\n".join(json.dumps(run) for run in runs) + "\n]\n")


if __name__ == "__main__":
    main()
