"""What both live benchmarks are made of: events, an archive of the first of them, streams that hold them all."""
import gzip
import hashlib
import json
import os
import random
import sqlite3
import subprocess

TYPES = ["retail.item.sold", "retail.product.viewed", "retail.cart.updated"]
SHADES = ["rosé", "amber", "coral", "plum", "a longer shade"]
ARCHIVED = 100  # events of each partition that are in the archive


def event(chance, partition, sequence):
    """About 340 bytes; a third of them are sales of a cosmetics shade."""
    return {"specversion": "1.0", "id": f"{partition:03}-{sequence:08}", "source": "/shops/berlin-mitte/till-04",
            "type": chance.choice(TYPES), "datacontenttype": "application/json",
            "time": f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T12:00:00.{sequence % 1000:03}Z",
            "partitionkey": f"c-{chance.randrange(10000):05}", "sequence": sequence,
            "data": {"customer": f"c-{chance.randrange(10000):05}", "sku": f"sku-{chance.randrange(3000):04}",
                     "category": "cosmetics", "shade": chance.choice(SHADES), "quantity": chance.randint(1, 5),
                     "price": float(f"{chance.randint(100, 9999) / 100:.2f}")}}


def sale(partition, sequence):
    """A sale of one piece of a shade that is the partition's alone: its row counts the partition's events."""
    return {**event(random.Random(sequence), partition, sequence), "type": TYPES[0],
            "data": {"category": "cosmetics", "shade": f"p{partition}", "quantity": 1, "price": 1.0}}


def line(one):
    return json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode()


def tally(events, into):
    """Adds the rows of shade_velocity, by plain dictionaries."""
    for one in events:
        if one["type"] == TYPES[0]:
            day, data = one["time"][:10], one["data"]
            units, cents, first, last = into.get(data["shade"], (0, 0, "9", ""))
            into[data["shade"]] = (units + data["quantity"], cents + round(data["price"] * 100) * data["quantity"],
                                   min(first, day), max(last, day))


def digest(rows):
    return hashlib.sha256(repr(sorted(tuple(row) for row in rows)).encode()).hexdigest()[:16]


def rows(store):
    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    found = database.execute("SELECT shade, units, revenue_cents, first_day, last_day FROM shade_velocity").fetchall()
    database.close()
    return found


def archive(root, partitions):
    """The first events of each partition in envelopes with their offsets, so that the end is exact."""
    os.makedirs(root)
    for partition, lines in enumerate(partitions):
        own = [b'{"key":null,"value":%s,"offset":%d}\n' % (text, place) for place, text in enumerate(lines[:ARCHIVED])]
        with open(os.path.join(root, f"retail-{partition}-{0:020}.gz"), "wb") as file:
            file.write(gzip.compress(b"".join(own), 1))


class Mock:
    """A topic of the mock cluster: a process with real connections."""

    def __init__(self, tool, topic):
        self.topic = topic
        self.process = subprocess.Popen([tool, "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.bootstrap = self.process.stdout.readline().strip()
        self.address = f"kafka://{self.bootstrap}/{topic}"

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer.startswith("ok"):
            raise RuntimeError(f"{command[:60]}: {answer}")

    def append(self, partition, lines, scratch):
        path = os.path.join(scratch, "batch.jsonl")
        with open(path, "wb") as file:
            file.write(b"\n".join(lines) + b"\n")
        self.ask(f"file {self.topic} {partition} {path}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


class Directory:
    """A directory stream: whole partitions written as files; or events through `replay append`, with receipts."""

    def __init__(self, tool, root):
        self.tool, self.root, self.address, self.appenders = tool, root, "dir:" + root, {}

    def fill(self, partition, lines):
        path = os.path.join(self.root, f"partition={partition}")
        os.makedirs(path)
        with open(os.path.join(path, f"{0:020}.jsonl"), "wb") as file:
            file.write(b"\n".join(lines) + b"\n")

    def append(self, partition, lines, _scratch):
        if partition not in self.appenders:
            self.appenders[partition] = subprocess.Popen(
                [self.tool, "append", self.address, "--partition", str(partition)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE)
        appender = self.appenders[partition]
        appender.stdin.write(b"\n".join(lines) + b"\n")
        appender.stdin.flush()
        for _ in lines:
            if not appender.stdout.readline():
                raise RuntimeError("replay append ended")

    def close(self):
        for appender in self.appenders.values():
            appender.stdin.close()
            appender.wait(20)
