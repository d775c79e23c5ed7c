"""Order and the same answer: a function that keeps, of each key, a hash of its events in the order that they came, over archives
with and without partitions, with 1 to 64 lanes, batches that stall at random, and runs that are killed (-9) and go on with another
number of lanes.

Usage: order_sentinel.py SENTINEL_TOOL [--events 100000000] [--seed 1]. The hashes are made here from the archive's lines too, and
compared row by row: so are events that are missing, applied twice or exchanged.
"""
import argparse, collections, contextlib, os, random, re, shutil, signal, sqlite3, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "BlackBox"))
from support import generate  # noqa: E402

LANES = [1, 2, 3, 4, 5, 7, 8, 16, 24, 32, 48, 64]
LAYOUTS = {"confluent": ["--segments", "8"], "hourly": ["--years", "0.2"]}
MASK = (1 << 47) - 1


def expected(archive):
    """key → (events, last sequence, hash), read by zstd and a pattern. The order is that of the sequence, which the generator counts
    through all of the archive."""
    keys = collections.defaultdict(list)
    pattern = re.compile(rb'"partitionkey":"([^"]*)","sequence":([0-9]+)')
    for place, _, names in os.walk(archive):
        for name in names:
            lines = subprocess.run(["zstdcat", os.path.join(place, name)], stdout=subprocess.PIPE, check=True).stdout
            for key, number in pattern.findall(lines):
                keys[key.decode()].append(int(number))
    rows = {}
    for key, numbers in keys.items():
        made = 0
        for number in sorted(numbers):
            made = (made * 31 + number) & MASK
        rows[key] = (len(numbers), max(numbers), made)
    return rows


def problem(store, wanted):
    with contextlib.closing(sqlite3.connect(store)) as database:
        found = {key: tuple(row) for key, *row in
                 database.execute("SELECT key, events, last, hash FROM order_sentinel")}
        inversions, = database.execute("SELECT sum(inversions) FROM order_sentinel").fetchone()
    if inversions:
        return f"{inversions} inversions"
    wrong = [key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)]
    if wrong:
        return f"{len(wrong)} keys differ, as {wrong[0]}: {found.get(wrong[0])}, expected {wanted.get(wrong[0])}"
    return None


class Order:
    def __init__(self, given, scratch):
        self.given, self.scratch, self.chance = given, scratch, random.Random(given.seed)
        self.kills = self.runs = self.events = 0
        self.archives, self.wanted, self.seconds = {}, {}, {}
        for layout, more in LAYOUTS.items():
            self.archives[layout] = os.path.join(scratch, layout)
            generate(self.archives[layout], "--events", given.batch, "--codec", "zstd", "--layout", layout, "--customers", 5000, *more)
            self.wanted[layout] = expected(self.archives[layout])

    def command(self, layout, lanes, store):
        chance = self.chance
        return [self.given.tool, "--archive", self.archives[layout], "--function", "order-sentinel", "--store", store,
                "--progress", "none", "--lanes", str(lanes), "--block-bytes", str(chance.choice([4096, 65536, 262144])),
                "--commit-interval", str(chance.choice([0.05, 0.3, 10])),
                "--commit-bytes", str(chance.choice([1_000_000, 20_000_000, 192 << 20]))]

    def one(self, lanes):
        """A run that is killed, most often, and those that end it with other lanes. None where all went well."""
        chance, layout, used = self.chance, self.chance.choice(list(LAYOUTS)), [lanes]
        store = os.path.join(self.scratch, "s.db")
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(store + end)
        env = {**os.environ, "SENTINEL_STALLS": str(chance.choice([0, 2, 20]))}
        while chance.random() < 0.7:
            run = subprocess.Popen(self.command(layout, lanes, store), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
            time.sleep(chance.uniform(0, self.seconds.get(layout, 1)))
            run.send_signal(signal.SIGKILL)
            self.kills += run.wait() == -signal.SIGKILL
            lanes = chance.choice(LANES)
            used.append(lanes)
        began = time.monotonic()
        done = subprocess.run(self.command(layout, lanes, store), capture_output=True, text=True, env=env)
        if len(used) == 1:
            self.seconds[layout] = time.monotonic() - began
        self.runs, self.events = self.runs + 1, self.events + self.given.batch
        if done.returncode != 0:
            return f"{layout}, lanes {used}: exit {done.returncode}: {done.stderr}"
        found = problem(store, self.wanted[layout])
        return found and f"{layout}, lanes {used}: {found}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--events", type=int, default=100_000_000)
    parser.add_argument("--batch", type=int, default=2_000_000, help="events of each archive")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    given.tool, scratch, wrong, began = os.path.abspath(given.tool), tempfile.mkdtemp(prefix="replay-order-"), 0, time.time()
    try:
        order = Order(given, scratch)
        while order.events < given.events:
            if found := order.one(LANES[order.runs % len(LANES)]):
                wrong += 1
                print(f"seed {given.seed}, run {order.runs}, {found}", flush=True)
                if wrong > 5:
                    break
    finally:
        shutil.rmtree(scratch)
    print(f"seed {given.seed}: {order.events:,} events in {order.runs} stores, 1 to {max(LANES)} lanes, {order.kills} kills (-9): "
          f"every key has its events once and in order in {order.runs - wrong}; {time.time() - began:.0f} s")
    print(f"{order.runs - wrong} passed, {wrong} failed")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
