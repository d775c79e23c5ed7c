"""Handoff races: an archive that grows, a stream that is written to all the time, and a tool that is killed anywhere.

Usage: torture.py REPLAY [--runs 500] [--seed 1] [--stream dir|kafka] [--kafka-mock PATH]. Each run draws an archive (layout,
codec, sizes of segments), how far it reaches, what of it has passed the stream's retention, a producer that appends at
random moments (half lines and new files among them), an archiver that adds segments meanwhile, and kills. In the end
every event is in the tables once: they are compared with a tally made here, not by the tool.
"""
import argparse, datetime, gzip, json, os, random, shutil, signal, sqlite3, subprocess, sys, tempfile, threading, time

from streams import DirectoryStream, KafkaStream

FUNCTIONS = ["shade-velocity", "recently-viewed", "event-counts"]
TYPES = ["retail.item.sold", "retail.product.viewed", "retail.cart.updated"]


def event(chance, partition, partitions, sequence):
    customer = f"c-{chance.randrange(40) * partitions + partition}"
    return {"specversion": "1.0", "id": f"{partition}-{sequence}", "type": chance.choice(TYPES),
            "time": f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T00:00:00.{sequence % 1000:03}Z",
            "partitionkey": customer, "sequence": sequence,
            "data": {"customer": customer, "sku": f"sku-{chance.randrange(30)}", "category": "cosmetics",
                     "shade": chance.choice(["rosé", "amber", "a longer shade"]), "quantity": chance.randint(1, 5),
                     "price": float(f"{chance.randint(0, 9999) / 100:.2f}")}}


def tally(partitions):
    """The three tables, by plain dictionaries."""
    shades, counts, viewed = {}, {}, {}
    for events in partitions:
        for e in events:
            day, data = e["time"][:10], e["data"]
            counts[e["type"], day] = counts.get((e["type"], day), 0) + 1
            if e["type"] == "retail.item.sold":
                units, cents, first, last = shades.get(data["shade"], (0, 0, "9", ""))
                shades[data["shade"]] = (units + data["quantity"], cents + round(data["price"] * 100) * data["quantity"],
                                         min(first, day), max(last, day))
            elif e["type"] == "retail.product.viewed":
                own = [v for v in viewed.get(data["customer"], []) if v[0] != data["sku"]]
                viewed[data["customer"]] = ([(data["sku"], e["time"])] + own)[:10]
    return {"shade_velocity": sorted((k, *v) for k, v in shades.items()),
            "event_counts": sorted((*k, v) for k, v in counts.items()),
            "recently_viewed": sorted((k, i + 1, *v) for k, own in viewed.items() for i, v in enumerate(own))}


def rows(store):
    with sqlite3.connect(store) as database:
        columns = {"shade_velocity": "shade, units, revenue_cents, first_day, last_day", "event_counts": "*",
                   "recently_viewed": "*"}
        return {table: sorted(database.execute(f"SELECT {names} FROM {table}").fetchall())
                for table, names in columns.items()}


class Archive:
    """Segments of a layout that knows its end exactly (aiven, with offsets), by a lower bound (confluent) or not at all
    (firehose: what a run is handed off by is the time of its events, see `pace`)."""

    def __init__(self, chance, root, lines):
        self.root, self.lines = root, lines
        self.layout = chance.choice(["confluent", "aiven", "firehose"])
        self.files = 0
        self.ends = [0] * len(lines)
        self.starts = [0] * len(lines)  # of the last segment

    def add(self, partition, until):
        start = self.ends[partition]
        if until <= start:
            return
        own = self.lines[partition][start:until]
        if self.layout == "confluent":
            path = f"topics/retail/partition={partition}/retail+{partition}+{start:010}.json.gz"
        elif self.layout == "firehose":
            begun = datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=self.files)
            path = f"{begun:%Y/%m/%d/%H}/retail-1-{begun:%Y-%m-%d-%H-%M-%S}-00000000-0000-4000-8000-{self.files:012}.gz"
            self.files += 1
        else:
            own = [b'{"key":%s,"value":%s,"offset":%d}' % (json.dumps(json.loads(line)["partitionkey"]).encode(), line,
                                                           start + place) for place, line in enumerate(own)]
            path = f"retail-{partition}-{start:020}.gz"
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # Whole or not there, as an object in a bucket.
        with open(self.root + ".writing", "wb") as file:
            file.write(gzip.compress(b"\n".join(own) + b"\n", 1))
        os.rename(self.root + ".writing", path)
        self.starts[partition], self.ends[partition] = start, until


def pace(events):
    """The events as lines, with times that go up, so that a handoff by time can be made: a second from one to the next."""
    for own in events:
        for e in own:
            at = datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=e["sequence"])
            e["time"] = at.isoformat() + ".000Z"
    return [[json.dumps(e, ensure_ascii=False, separators=(",", ":")).encode() for e in own] for own in events]


def phase(store):
    """Where a killed run stood, as the store says."""
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
            return (database.execute("SELECT min(phase) FROM _replay_functions").fetchone() or [None])[0] or "nothing yet"
    except sqlite3.OperationalError:
        return "nothing yet"


class Run:
    kills = {}

    def __init__(self, tool, seed, kind, mock):
        self.seed, self.chance, self.tool = seed, random.Random(seed), tool
        chance = self.chance
        self.scratch = tempfile.mkdtemp(prefix="replay-torture-")
        count = chance.choice([1, 2, 3, 5])
        self.events = [[event(chance, p, count, n) for n in range(chance.randint(1, 1500))] for p in range(count)]
        lines = [[json.dumps(e, ensure_ascii=False, separators=(",", ":")).encode() for e in own] for own in self.events]
        self.lines = lines
        self.archive = Archive(chance, os.path.join(self.scratch, "archive"), lines)
        if self.archive.layout == "firehose":
            lines[:] = pace(self.events)
        self.stream = (DirectoryStream(os.path.join(self.scratch, "retail"), chance) if kind == "dir"
                       else KafkaStream(mock, "retail"))
        self.stream.create(count)
        for partition, own in enumerate(lines):
            end = chance.randint(1, len(own))
            while self.archive.ends[partition] < end:
                self.archive.add(partition, min(end, self.archive.ends[partition] + chance.randint(1, 400)))
            self.stream.append(partition, own[:chance.randint(end, len(own))])
        # Where every number is said to be filled, the end is exact and the last segment need not be in the stream whole.
        self.is_dense = self.archive.layout == "confluent" and chance.random() < 0.4
        is_exact = self.is_dense or self.archive.layout != "confluent"
        least = [end - 1 for end in self.archive.ends] if is_exact else self.archive.starts
        self.stream.expire([position - chance.choice([0, 0, 5, 150]) for position in least])
        self.store = os.path.join(self.scratch, "store.db")

    def command(self):
        chance = self.chance
        functions = [part for name in FUNCTIONS for part in ("--function", name)]
        return [self.tool, "--archive", self.archive.root, "--store", self.store, "--live", self.stream.address,
                "--until-caught-up", "--overlap-time", "24h", "--positions", "dense" if self.is_dense else "unstated", "--progress", "none", "--lanes", str(chance.randint(1, 4)),
                "--commit-interval", str(chance.choice([0.001, 0.02, 10])), "--live-commit-interval",
                str(chance.choice([0.001, 0.05, 1])), "--block-bytes", str(chance.choice([4096, 65536]))] + functions

    def produce(self):
        """Appends what is left at random moments, and lets the archiver follow."""
        chance = random.Random(self.seed + 1)
        left = [p for p in range(len(self.lines)) if self.stream.ends[p] < len(self.lines[p])]
        while left:
            partition = chance.choice(left)
            start = self.stream.ends[partition]
            self.stream.append(partition, self.lines[partition][start:start + chance.choice([1, 1, 7, 200])])
            if self.stream.ends[partition] >= len(self.lines[partition]):
                left.remove(partition)
            if chance.random() < 0.1:
                self.archive.add(partition, chance.randint(self.archive.ends[partition], self.stream.ends[partition]))
            time.sleep(chance.choice([0, 0, 0.001, 0.01, 0.05]))

    def race(self):
        """None where all went well, else what did not."""
        producer = threading.Thread(target=self.produce)
        producer.start()
        try:
            for _ in range(self.chance.choice([0, 1, 1, 2, 4])):
                process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(self.chance.choice([0.02, 0.05, 0.1, 0.2, 0.4]) * self.chance.random() * 2)
                process.send_signal(self.chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
                if process.wait(30) == -signal.SIGKILL:
                    where = phase(self.store)
                    Run.kills[where] = Run.kills.get(where, 0) + 1
            while True:
                is_last = not producer.is_alive()
                done = subprocess.run(self.command(), capture_output=True, text=True, timeout=30)
                if done.returncode != 0:
                    return f"exit {done.returncode}: {done.stderr}"
                if is_last:
                    break
        except subprocess.TimeoutExpired as late:
            return f"it hangs: {late}"
        finally:
            producer.join()
        wanted, found = tally(self.events), rows(self.store)
        wrong = [table for table in wanted if wanted[table] != found[table]]
        return f"other rows in {wrong}" if wrong else None

    def close(self, keep):
        self.stream.close()
        if not keep:
            shutil.rmtree(self.scratch, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stream", choices=["dir", "kafka"], default="dir")
    parser.add_argument("--kafka-mock", default=".build/debug/kafka-mock")
    options = parser.parse_args()
    failed = 0
    for seed in range(options.seed, options.seed + options.runs):
        run = Run(os.path.abspath(options.tool), seed, options.stream, options.kafka_mock)
        problem = run.race()
        run.close(keep=problem is not None)
        if problem:
            failed += 1
            print(f"seed {seed} ({run.archive.layout}, {options.stream}): {problem}\n  kept {run.scratch}", flush=True)
    print(f"seeds {options.seed} to {options.seed + options.runs - 1}, {options.stream}: "
          f"{options.runs - failed} of {options.runs} races ended with every event in the tables once")
    kills = ", ".join(f"{count} with the store at {where}" for where, count in sorted(Run.kills.items()))
    print(f"killed by SIGKILL meanwhile: {kills or 'none'}")
    print(f"{options.runs - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
