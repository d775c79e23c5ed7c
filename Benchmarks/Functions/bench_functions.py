"""What it costs to call a function in another language: the same fold over every event of the same archive, in turns.

The Lambda form (Python behind awslambdaric, unmodified) beside a bare loop of `handler(json.loads(batch))` over the same batch
texts in one process: the ratio is what replay, the Runtime API and the client add, per worker; and beside the client alone,
which is handed the same texts ready-made: the ratio is what replay adds. Then events a second of each
form with two workers. All must leave the same rows, whose hash is printed. `--raw PATH` keeps every run.
"""
import argparse, base64, glob, hashlib, json, os, platform, re, sqlite3, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
TOOL = os.path.join(ROOT, ".build", "release", "replay")
PYTHON = os.path.join(ROOT, ".build", "python", "bin")
sys.path.insert(0, HERE)


def kinesis(number, shard, text):
    """A record as replay makes it."""
    event = json.loads(text)
    moment = re.match(r"(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)", event["time"]).groups()
    data = base64.b64encode(text).decode()
    return (f'{{"kinesis":{{"kinesisSchemaVersion":"1.0","partitionKey":{json.dumps(event["partitionkey"])},'
            f'"sequenceNumber":"{number}","data":"{data}","approximateArrivalTimestamp":{"".join(moment)}.000}},'
            f'"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-{shard:012}:{number}",'
            f'"eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::000000000000:role/replay",'
            f'"awsRegion":"us-east-1","eventSourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/retail"}}')


def write_batches(archive, size, path):
    """The archive's events as batch texts, one a line, one partition each."""
    with open(path, "w") as out:
        for shard, folder in enumerate(sorted(glob.glob(f"{archive}/topics/retail/partition=*"))):
            records, number = [], 0
            for name in sorted(os.listdir(folder)):
                text = subprocess.run(["zstd", "-dcq", os.path.join(folder, name)], capture_output=True, check=True).stdout
                for line in text.splitlines():
                    records.append(kinesis(number, shard, line))
                    number += 1
            for start in range(0, len(records), size):
                out.write('{"Records":[' + ",".join(records[start:start + size]) + "]}\n")


def rows_hash(store):
    with sqlite3.connect(store) as database:
        rows = database.execute("SELECT type, day, events FROM event_counts ORDER BY 1, 2").fetchall()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def timed(archive, function, *flags):
    """Seconds and the rows' hash of one run."""
    with tempfile.TemporaryDirectory() as work:
        store = os.path.join(work, "s.db")
        line = [TOOL, "--archive", archive, "--function", function, "--store", store, "--quiet", *map(str, flags)]
        began = time.perf_counter()
        subprocess.run(line, check=True, env={**os.environ, "PATH": PYTHON + os.pathsep + os.environ["PATH"]})
        return time.perf_counter() - began, rows_hash(store)


def overhead(archive, options, raw):
    declared = ["--tables", os.path.join(HERE, "counts.json")]
    for size in options.batch_sizes:
        path = os.path.join(os.path.dirname(archive), f"batches-{size}")
        write_batches(archive, size, path)
        ratios, beside = [], []
        for turn in range(options.rounds):
            bare, client = (float(subprocess.run([*pinned, os.path.join(PYTHON, "python3"), os.path.join(HERE, script), path],
                                                 capture_output=True, text=True, check=True).stdout)
                            for pinned, script in ((["taskset", "-c", "0"], "bare_loop.py"), ([], "ready_batches.py")))
            seconds, digest = timed(archive, f"lambda:{HERE}/counts.py:handler", *declared, "--workers", 1, "--batch-size",
                                    size)
            ratios.append(seconds / bare)
            beside.append(seconds / client)
            raw.append({"what": "overhead", "batch": size, "bare": bare, "client": client, "lambda": seconds, "rows": digest})
        print(f"lambda, one worker, batches of {size}: {spread(ratios)} of the bare loop, {spread(beside)} of the client alone; "
              f"{options.events / raw[-1]['lambda']:,.0f} events/s, rows {raw[-1]['rows']}", flush=True)


def spread(ratios):
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"


def forms(archive, options, raw):
    declared = ["--tables", os.path.join(HERE, "counts.json")]
    lines = f"exec:python3 {HERE}/counts_lines.py"
    every = {"swift": ["event-counts"], "sql": [f"{ROOT}/fixtures/functions/event_counts.sql"],
             "lambda, batches of 1000": [f"lambda:{HERE}/counts.py:handler", *declared, "--batch-size", 1000],
             "exec, a line an event": [lines, *declared, "--batch-size", 1000],
             "exec, a line a batch": [lines, *declared, "--batch-size", 1000, "--exec-lines", "batch"]}
    hashes = set()
    for name, flags in every.items():
        runs = [timed(archive, *flags, "--workers", 2) for _ in range(options.rounds)]
        seconds = statistics.median(run[0] for run in runs)
        hashes |= {run[1] for run in runs}
        raw.append({"what": name, "seconds": [run[0] for run in runs], "rows": runs[0][1]})
        print(f"{name}, two workers: {options.events / seconds:,.0f} events/s, rows {runs[0][1]}", flush=True)
    if len(hashes) != 1:
        raise SystemExit(f"the rows differ: {hashes}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--raw")
    options = parser.parse_args()
    raw = []
    with tempfile.TemporaryDirectory() as work:
        archive = os.path.join(work, "events")
        subprocess.run([sys.executable, os.path.join(ROOT, "fixtures", "generate.py"), "archive", "--events",
                        str(options.events), "--codec", "zstd", "--out", archive, "--tally", os.path.join(work, "t")],
                       check=True, stdout=subprocess.DEVNULL)
        overhead(archive, options, raw)
        forms(archive, options, raw)
    if options.raw:
        with open(options.raw, "w") as out:
            json.dump({"machine": platform.platform(), "processors": os.cpu_count(), "events": options.events,
                       "runs": raw}, out, indent=1)


if __name__ == "__main__":
    main()
