"""Small runs into SQLite of which every call can be disturbed, and what must hold of their stores.

A scene is a kind of function, a number of lanes, and whether it ends with the archive or goes on with a stream; or it
goes on from a store whose run was killed. All have the same few hundred events, of fixtures/generate.py, whose tally is
what the tables must hold in the end. Of a store that was killed anywhere the tables must hold the tally of exactly the
events before its positions.
"""
import glob, hashlib, json, os, random, shutil, sqlite3, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "BlackBox"), os.path.join(HERE, "..", "..", "fixtures")]

from kill import dump  # noqa: E402
from retail import tally  # noqa: E402
from streams import DirectoryStream  # noqa: E402
from support import FIXTURES, generate  # noqa: E402
from torture import Archive  # noqa: E402

PARTITIONS = 3
# Seconds after which a run is said to hang. More on a machine that is busy with other things.
PATIENCE = float(os.environ.get("REPLAY_PATIENCE", "30"))
LANES = (1, 4, 16)
SQL = [os.path.join(FIXTURES, "functions", name) for name in ("event_counts.sql", "recently_viewed.sql", "shade_velocity.sql")]
DECLARED = os.path.join(FIXTURES, "functions", "shade_velocity.json")
PROGRAM = os.path.join(FIXTURES, "functions", "shade_velocity")
COLUMNS = {"shade_velocity": "shade, units, revenue_cents, first_day, last_day", "event_counts": "type, day, events",
           "recently_viewed": "customer, rank, sku, viewed_at"}


def functions(kind):
    """The flags of a kind of function. The program of one worker is Python's, of more jq's, which starts sooner."""
    if kind == "swift":
        named = ["event-counts", "recently-viewed", "shade-velocity"]
    elif kind == "sql":
        named = SQL
    elif kind == "lines":
        named = ["event-counts", f"exec:{sys.executable} -S -E {PROGRAM}_lines.py"]
    else:
        named = ["event-counts", f"exec:/bin/sh {PROGRAM}.sh"]
    flags = [part for name in named for part in ("--function", name)]
    more = {"lines": ["--exec-lines", "batch", "--batch-size", "3"], "shell": ["--batch-size", "2"]}
    return flags + (["--tables", DECLARED, *more[kind]] if kind in more else [])


class World:
    """The events, as an archive of all, and as an archive of the first of them with a stream of all."""

    def __init__(self, tool, seed, scratch, events=400):
        self.tool, self.scratch, self.functions = os.path.abspath(tool), scratch, os.path.join(FIXTURES, "functions")
        made, counted = os.path.join(scratch, "made"), os.path.join(scratch, "tally.json")
        generate(made, "--events", events, "--codec", "none", "--layout", "confluent", "--segments", 1, "--customers", 30,
                 "--years", 1, "--partitions", PARTITIONS, "--seed", seed, "--jobs", 1, "--tally", counted)
        with open(counted) as file:
            self.counted = json.load(file)
        self.lines = []
        for partition in range(PARTITIONS):
            (path,) = glob.glob(os.path.join(made, "topics", "retail", f"partition={partition}", "*"))
            with open(path, "rb") as file:
                self.lines.append(file.read().splitlines())
        self.events = [[tally.parse(line.decode()) for line in own] for own in self.lines]
        chance = random.Random(seed)
        self.whole = self._archive(chance, "whole", 1.0, "confluent")
        self.part = self._archive(chance, "part", 0.5, "aiven")
        self.stream = DirectoryStream(os.path.join(scratch, "retail"), chance)
        self.stream.create(PARTITIONS)
        for partition, own in enumerate(self.lines):
            self.stream.append(partition, own)
        self.tallies = {}

    def _archive(self, chance, name, share, layout):
        archive = Archive(chance, os.path.join(self.scratch, name), self.lines)
        archive.layout = layout
        for partition, own in enumerate(self.lines):
            for segment in range(1, 6):
                archive.add(partition, int(len(own) * share) * segment // 5)
        return archive.root

    def tally(self, ends):
        """The tables of the first `ends` events of each partition."""
        if ends not in self.tallies:
            counted = tally.of_events([e for own, end in zip(self.events, ends) for e in own[:end]], ends)
            self.tallies[ends] = {table: sorted(map(tuple, counted[table])) for table in COLUMNS}
        return self.tallies[ends]

    @property
    def in_the_end(self):
        """The tables of all events, as the generator counted them while it made them."""
        return {table: sorted(map(tuple, self.counted[table])) for table in COLUMNS}


class Scene:
    """`start`: the directory of a killed run's store, from which it goes on; None for a new one."""

    def __init__(self, world, kind, lanes, is_live, start=None, name=None):
        self.world, self.kind, self.lanes, self.is_live, self.start = world, kind, lanes, is_live, start
        self.phase = "live" if is_live else "replay"
        self.name = name or f"{kind}/{lanes}/{self.phase}"

    def command(self, home, lanes=None, more=()):
        world = self.world
        words = [world.tool, "--archive", world.part if self.is_live else world.whole, "--store", self.store(home),
                 "--progress", "none", "--lanes", str(lanes or self.lanes), "--block-bytes", "4096", "--commit-events", "20",
                 "--report", os.path.join(home, "report.json"), *functions(self.kind), *more]
        if self.is_live:
            words += ["--live", world.stream.address, "--until-caught-up", "--overlap-events", "10",
                      "--live-commit-interval", "0.001"]
        return words

    @staticmethod
    def store(home):
        return os.path.join(home, "store.db")

    def prepare(self, home):
        """An empty directory, or one with the killed run's files."""
        shutil.rmtree(home, ignore_errors=True)
        if self.start:
            shutil.copytree(self.start, home)
        else:
            os.makedirs(home)

    def resume(self, home, lanes):
        """Runs it to its end, undisturbed; None where all went well, else what did not."""
        try:
            done = subprocess.run(self.command(home, lanes), capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return "the resumed run hangs"
        return f"the resumed run: exit {done.returncode}: {done.stderr}" if done.returncode else None


def place(path, home):
    """What a path is, in a word; None where it is nothing of the scene's."""
    if path.startswith(("pipe:", "socket:")):
        return path.split(":")[0]
    name = path[len(home) + 1:] if path.startswith(home + "/") else None
    known = {"store.db": "database", "store.db-wal": "log", "store.db-shm": "index", "store.db-journal": "journal",
             "output": "output"}
    if path == home:
        return "directory"
    return name and known.get(name, "report" if name.startswith(("report.json", ".report.json")) else "other")


def copied(home, into):
    """The store's files without what a process had mapped: what is looked into must not be changed by it."""
    shutil.rmtree(into, ignore_errors=True)
    os.makedirs(into)
    for end in ("", "-wal", "-journal"):
        if os.path.exists(Scene.store(home) + end):
            shutil.copy(Scene.store(home) + end, Scene.store(into) + end)
    return Scene.store(into)


def settled(world, database, function):
    """How many events of each partition are before the function's positions."""
    ends = dict.fromkeys(range(PARTITIONS), 0)
    for partition, following in database.execute("SELECT partition, next FROM _replay_positions WHERE function = ?", [function]):
        # A position as 48 hexadecimal digits, then 16 of its sub-position: "the one after 99" is 99 and 1.
        end = int(following[:48], 16) + (int(following[48:], 16) > 0)
        ends[int(partition)] = max(ends[int(partition)], end)
    return tuple(ends.values())


def inconsistency(world, path):
    """What is wrong in a store that was left anywhere; None where each function's rows are those of exactly the events that
    its positions claim. The file at `path` may be changed by SQLite, which undoes what was half written."""
    if not os.path.exists(path):
        return None
    database = sqlite3.connect(path)
    try:
        if (said := database.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
            return f"integrity_check: {said}"
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "_replay_functions" not in tables:
            return f"tables without a checkpoint: {tables}" if tables & set(COLUMNS) else None
        seen = set()
        for function, own, events in database.execute("SELECT function, tables, events FROM _replay_functions").fetchall():
            ends = settled(world, database, function)
            if events != sum(ends):
                return f"{function}: {events} events by its count, {sum(ends)} by its positions {ends}"
            for table in own.split(","):
                seen.add(table)
                found = sorted(database.execute(f"SELECT {COLUMNS[table]} FROM {table}").fetchall()) if table in tables else []
                if found != world.tally(ends)[table]:
                    return f"{function}: its rows are not those of the events before its positions {ends}"
        left = [table for table in tables & set(COLUMNS) - seen if database.execute(f"SELECT 1 FROM {table}").fetchone()]
        return f"rows without a checkpoint in {left}" if left else None
    finally:
        database.close()


def digest(path, scratch):
    """Of what VACUUM INTO makes of a copy without owners, times, command lines and counts of runs. The counters of the
    file's header (of changes, and of the schema's) are how often it was written, and left out."""
    clean, vacuumed = os.path.join(scratch, "clean.db"), os.path.join(scratch, "vacuumed.db")
    for old in (clean, vacuumed):
        if os.path.exists(old):
            os.remove(old)
    source = sqlite3.connect(path)
    copy = sqlite3.connect(clean)
    try:
        source.backup(copy)
        copy.execute("UPDATE _replay_functions SET fence = 0, owner = '', epochs = 0, updated_at = '', command = ''")
        copy.commit()
        copy.execute("VACUUM INTO ?", [vacuumed])
    finally:
        source.close()
        copy.close()
    with open(vacuumed, "rb") as file:
        bytes_ = bytearray(file.read())
    for start in (24, 40, 92):
        bytes_[start:start + 4] = bytes(4)
    return hashlib.sha256(bytes_).hexdigest()


def ended(world, home, scratch):
    """(dump, digest) of a store that a run has ended, and what is wrong in it by itself."""
    path = Scene.store(home)
    wrong = inconsistency(world, path)
    if wrong is None:
        database = sqlite3.connect(path)
        for table in COLUMNS:
            if database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone():
                found = sorted(database.execute(f"SELECT {COLUMNS[table]} FROM {table}").fetchall())
                if found != world.in_the_end[table]:
                    wrong = f"{table} is not what the generator counted"
        database.close()
    return (dump(path), digest(path, scratch)), wrong
