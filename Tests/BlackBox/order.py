"""Order: a function that writes by itself is given the events of every key in rising order within an attempt, however it
is slow, fails or is killed, and whatever the number of workers; what was delivered last of each event is in order too, so
that nothing of a parked key is applied before its bad event is. A kill of the run itself redelivers at most one batch a
worker. A SQL file, which has no deliveries, counts inversions in its rows. `python3 order.py TOOL --events 1700000` runs all
forms at full length; the tests, short ones."""
import argparse, contextlib, json, os, random, shutil, signal, sqlite3, subprocess, sys, tempfile, time

from streams import DirectoryStream
from support import HERE, TOOL, generate
from torture import Archive, event

WORKERS = os.path.join(HERE, "workers")
PATIENT = ["--contract", "writes-itself", "--retry-backoff", "0.001"]


class Form:
    """One way to a function, at work in `work`; `often`: how many calls in a million end in each way that is not good."""

    def __init__(self, name, work, often, seed):
        self.name, self.work, self.often, self.seed = name, work, often, seed
        self.folder = os.path.join(work, "log")
        os.mkdir(self.folder)

    def script(self, name):
        return f"{sys.executable} {os.path.join(WORKERS, name)} {self.folder} {self.seed} {self.often}"

    @contextlib.contextmanager
    def flags(self):
        if self.name == "lambda":
            yield ["--function", "lambda:exec:" + self.script("order_lambda.py"), *PATIENT]
        elif self.name == "lines":
            yield ["--function", "exec:" + self.script("order_lines.py"), *PATIENT]
        elif self.name == "sql":
            yield ["--function", self.sql()]
        else:
            with subprocess.Popen(self.script("order_http.py").split(), stdout=subprocess.PIPE, text=True) as service:
                try:
                    path = {"binary": "", "invoke": "2015-03-31/functions/order/invocations"}[self.name]
                    yield ["--function", f"http://127.0.0.1:{service.stdout.readline().strip()}/{path}", *PATIENT]
                finally:
                    service.kill()

    def sql(self):
        """Fails at some events, until it is mended."""
        path, bad = os.path.join(self.work, "order.sql"), 20_000_000 // (self.often or 1)
        with open(path, "w") as file:
            file.write(f"""-- @function order 1
CREATE TABLE seen (key TEXT PRIMARY KEY, last INTEGER NOT NULL, events INTEGER NOT NULL, inversions INTEGER NOT NULL)
  STRICT, WITHOUT ROWID;
INSERT INTO seen
SELECT _key, {'_position' if self.is_calm or not self.often else f"CASE WHEN _position % {bad} = 5 THEN NULL ELSE _position END"}, 1, 0
FROM events WHERE true ORDER BY _number
ON CONFLICT (key) DO UPDATE SET
  inversions = inversions + (excluded.last <= last), events = events + 1, last = excluded.last;
""".replace("_position", "CAST(_position AS INTEGER)"))
        return path

    @property
    def is_calm(self):
        return os.path.exists(self.folder + ".calm")

    def calm(self):
        """From now on nothing fails."""
        open(self.folder + ".calm", "w").close()
        if self.name == "sql":
            self.sql()

    def check(self, store, expected):
        return check_rows(store, expected) if self.name == "sql" else check(self.folder, expected)


class Found:
    """What a check counted; `most`: deliveries of one event."""

    def __init__(self, inversions, total, missing, most):
        self.inversions, self.total, self.missing, self.most = inversions, total, missing, most

    @property
    def is_good(self):
        return self.inversions == 0 and self.missing == 0


def delivered(folder):
    """(attempt, partition, position, key) of each process or connection, in the order it was given them."""
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
    last, seen, inversions, total = {}, {}, 0, 0
    for attempt, partition, position, key in sorted(delivered(folder), key=lambda row: row[0]):
        total += 1
        before = last.get(key)
        if before and before[0] == attempt and position <= before[1]:
            inversions += 1
        last[key] = (attempt, position)
        times, _, _ = seen.get((partition, position), (0, attempt, key))
        seen[(partition, position)] = (times + 1, attempt, key)
    newest = {}
    for (_, _), (_, attempt, key) in sorted(seen.items()):
        if attempt < newest.get(key, attempt):
            inversions += 1
        newest[key] = max(attempt, newest.get(key, attempt))
    return Found(inversions, total, expected - len(seen), max((times for times, _, _ in seen.values()), default=0))


def check_rows(store, expected):
    with contextlib.closing(sqlite3.connect(store)) as database:
        inversions, total = database.execute("SELECT sum(inversions), sum(events) FROM seen").fetchone()
    return Found(inversions, total, expected - total, 1)


def run(tool, archive, events, form, workers, often=200, seed=1, batch=100, kills=0, parks=False, more=(), patience=0.3):
    """Runs to the end through `kills` kill -9s; with `parks` what fails is parked, and retried at the end. `workers`: their
    number, or that of each start in turn."""
    counts = [workers] if isinstance(workers, int) else workers
    work = tempfile.mkdtemp()
    try:
        made, dice, store = Form(form, work, often, seed), random.Random(seed), os.path.join(work, "s.db")
        with made.flags() as function:
            policy = ["--on-error", "park"] if parks else ["--on-error", "retry", "--retries", "1000"]
            limits = [] if form in ("sql", "binary") else ["--batch-size", str(batch)]
            if form == "sql" and not parks:
                policy = []
            lines = [[tool, "--archive", archive, *function, "--store", store, "--lanes" if form == "sql" else "--workers",
                      str(count), *policy, *limits, *more] for count in counts]
            for kill in range(kills):
                process = subprocess.Popen(lines[kill % len(lines)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(patience + dice.random() * 0.7)
                process.send_signal(signal.SIGKILL)
                process.wait()
            finish(lines[kills % len(lines)], seed, [0, 3] if parks else [0])
            if parks:
                made.calm()
                finish([tool, "failed", "retry", "--store", store, *function, *limits], seed, [0])
        return made.check(store, events)
    finally:
        shutil.rmtree(work)


def finish(line, seed, codes):
    done = subprocess.run(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=3600)
    if done.returncode not in codes:
        raise SystemExit(f"seed {seed}: exit {done.returncode}\n{done.stderr[-2000:]}")


def often_enough(form, parks):
    """Of a million calls; some have a thousand events. What a SQL file cannot apply stops the run, so that nothing of it is
    bad where nothing is parked."""
    if form == "sql":
        return 20 if parks else 0
    return (2_000 if parks else 20_000) if form in ("lambda", "invoke") else 20 if parks else 100


# Form, workers, and what is parked instead of tried again.
LONG = [("lambda", 1, False), ("lambda", 32, False), ("lambda", 4, True), ("lines", 2, False), ("lines", 32, False),
        ("lines", 7, True), ("invoke", 2, False), ("invoke", 32, False), ("invoke", 7, True), ("sql", 1, False),
        ("sql", 16, False), ("sql", 4, True), ("binary", 8, False), ("binary", 4, True)]


def run_live(tool, events, form, workers, partitions=3, archived=200, parks=False, **options):
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
        policy = ["--live", stream.address, "--until-caught-up", "--on-error-live", "park" if parks else "retry"]
        return run(tool, archive.root, partitions * (events // partitions), form, workers, parks=parks, more=policy,
                   **options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", nargs="?", default=TOOL)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def told(what, began, events, found):
        print(f"{what}: inversions {found.inversions}, deliveries {found.total:,} of {events:,}, missing {found.missing}, "
              f"most of one event {found.most}, {time.time() - began:.0f} s", flush=True)
        if not found.is_good:
            raise SystemExit(1)

    with tempfile.TemporaryDirectory() as work:
        archives = {}
        for events in (options.events, options.events // 10):
            archives[events] = os.path.join(work, f"a{events}")
            generate(archives[events], "--events", events, "--codec", "zstd", "--tally", os.path.join(work, "t"))
        for form, workers, parks in LONG:
            # A call for each event takes its time.
            events = options.events // (10 if form == "binary" else 1)
            began = time.time()
            found = run(options.tool, archives[events], events, form, workers, seed=options.seed,
                        often=often_enough(form, parks), kills=3, batch=1000, parks=parks, patience=1.0)
            told(f"{form}{', parking' if parks else ''}, {workers} workers", began, events, found)
    for form, parks in (("lambda", False), ("lines", False), ("invoke", True)):
        events, began = min(options.events, 500_000) // 3 * 3, time.time()
        found = run_live(options.tool, events, form, (4, 1, 7, 3), seed=options.seed,
                         often=often_enough(form, parks), kills=7, patience=1.0, batch=1000, parks=parks)
        told(f"{form}{', parking' if parks else ''}, a stream, 4, 1, 7 and 3 workers", began, events, found)
