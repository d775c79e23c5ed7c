"""Order: a function that writes by itself is given the events of every key in rising order within an attempt, however it
is slow, fails or is killed, and whatever the number of workers; a kill of the run itself redelivers at most one batch a
worker. `python3 order.py TOOL --events 10000000` runs it at full length; the tests, a short one."""
import argparse, json, os, random, shutil, signal, subprocess, sys, tempfile, time

from streams import DirectoryStream
from support import HERE, TOOL, generate
from torture import Archive, event

WORKERS = os.path.join(HERE, "workers")


def command(tool, archive, store, form, folder, workers, often, seed, batch):
    script = os.path.join(WORKERS, "order_lambda.py" if form == "lambda" else "order_lines.py")
    function = f"{'lambda:exec' if form == 'lambda' else 'exec'}:python3 {script} {folder} {seed} {often}"
    return [tool, "--archive", archive, "--function", function, "--contract", "writes-itself", "--store", store,
            "--workers", str(workers), "--batch-size", str(batch), "--retries", "1000", "--retry-backoff", "0.001",
            "--on-error", "retry"]


def delivered(folder):
    """Lists of (attempt, partition, position, key), one for each process, in the order it was given them."""
    for name in os.listdir(folder):
        with open(os.path.join(folder, name)) as log:
            for line in log:
                words = line.split()
                if len(words) < 3:
                    continue
                run, attempt = map(int, words[0].split("."))
                partition, position = words[1].rsplit(":", 1)
                yield (run, attempt), partition, int(position), words[2]


def check(folder, expected):
    """(inversions, deliveries, events missing, most deliveries of one event)"""
    last, seen, inversions, total = {}, {}, 0, 0
    rows = sorted(delivered(folder), key=lambda row: row[0])
    for attempt, partition, position, key in rows:
        total += 1
        before = last.get(key)
        if before and before[0] == attempt and position <= before[1]:
            inversions += 1
        last[key] = (attempt, position)
        seen[(partition, position)] = seen.get((partition, position), 0) + 1
    return inversions, total, expected - len(seen), max(seen.values(), default=0)


def run(tool, archive, events, form, workers, often=200, seed=1, batch=100, kills=0, more=(), patience=0.3):
    """Runs to the end through `kills` kill -9s; answers what `check` says, with what was delivered again by kills alone.
    `workers`: their number, or that of each start in turn."""
    counts = [workers] if isinstance(workers, int) else workers
    work = tempfile.mkdtemp()
    try:
        folder = os.path.join(work, "log")
        os.mkdir(folder)
        dice, count = random.Random(seed), 0
        while True:
            line = command(tool, archive, os.path.join(work, "s.db"), form, folder, counts[count % len(counts)], often,
                           seed, batch) + list(more)
            process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if count < kills:
                time.sleep(patience + dice.random() * 0.7)
                process.send_signal(signal.SIGKILL)
                process.wait()
                process.stderr.close()
                count += 1
                continue
            errors = process.communicate(timeout=3600)[1]
            if process.returncode != 0:
                raise SystemExit(f"seed {seed}: exit {process.returncode}\n{errors}")
            break
        return check(folder, events)
    finally:
        shutil.rmtree(work)


def run_live(tool, events, form, workers, partitions=3, archived=200, **options):
    """The same of a stream with so many events, of which the first `archived` of each partition are in an archive."""
    chance = random.Random(options.get("seed", 1))
    with tempfile.TemporaryDirectory() as work:
        lines = [[json.dumps(event(chance, p, partitions, n), separators=(",", ":")).encode()
                  for n in range(events // partitions)] for p in range(partitions)]
        archive = Archive(chance, os.path.join(work, "archive"), lines)
        archive.layout = "aiven"
        stream = DirectoryStream(os.path.join(work, "retail"), chance)
        stream.create(partitions)
        for partition, own in enumerate(lines):
            archive.add(partition, archived)
            stream.append(partition, own)
        return run(tool, archive.root, partitions * (events // partitions), form, workers,
                   more=["--live", stream.address, "--until-caught-up", "--on-error-live", "retry"], **options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", nargs="?", default=TOOL)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def told(what, began, found):
        print(f"{what}: inversions {found[0]}, deliveries {found[1]:,}, missing {found[2]}, most of one event {found[3]}, "
              f"{time.time() - began:.0f} s", flush=True)
        if found[0] or found[2]:
            raise SystemExit(1)

    with tempfile.TemporaryDirectory() as work:
        archive = os.path.join(work, "a")
        generate(archive, "--events", options.events, "--codec", "zstd", "--tally", os.path.join(work, "t"))
        for form, workers in [("lambda", 1), ("lambda", 2), ("lambda", 32), ("lines", 2), ("lines", 7), ("lines", 32)]:
            told(f"{form} {workers} workers", time.time(), run(
                options.tool, archive, options.events, form, workers, seed=options.seed, often=100, kills=3, batch=1000))
    for form in ("lambda", "lines"):
        told(f"{form}, a stream, 4, 1, 7 and 3 workers", time.time(), run_live(
            options.tool, min(options.events, 1_000_000), form, (4, 1, 7, 3), seed=options.seed, often=100, kills=7,
            patience=1.0, batch=1000))
