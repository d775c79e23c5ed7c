"""What the torture of a store in PostgreSQL takes place in: a server, and archives, with what an undisturbed run into SQLite
makes of each, which is compared with the generator's tally first."""
import contextlib, json, os, random, shutil, subprocess, tempfile, time

from postgres_rows import SEPARATOR, Undisturbed, lines_of_sqlite, text
from postgres_server import Server
from support import generate

FUNCTIONS = ["shade-velocity", "recently-viewed"]
LAYOUTS = {"confluent": ["--segments", 6, "--years", 1], "hourly": ["--years", 0.007]}


class Scene:
    """`share`: of the usual number of events."""

    def __init__(self, tool, share=1.0):
        self.tool, self.number, self.lasts = os.path.abspath(tool), 0, {}
        # In memory: a server that recovers syncs every file, which takes seconds on a disk that others use too.
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.server, self.scratch = Server(home=memory), tempfile.mkdtemp(dir=memory)
        self.archives = {layout: os.path.join(self.scratch, layout) for layout in LAYOUTS}
        self.undisturbed = {layout: self.make(layout, int(6_000 * share)) for layout in LAYOUTS}

    def make(self, layout, events):
        archive = self.archives[layout]
        generate(archive, "--events", events, "--codec", "zstd", "--layout", layout, "--customers", 300, "--tally",
                 archive + ".json", *LAYOUTS[layout])
        subprocess.run(self.command(layout, archive + ".db", random.Random(0)), check=True, capture_output=True)
        check_tally(archive + ".db", archive + ".json")
        return Undisturbed(archive + ".db", self.server)

    def close(self):
        self.server.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def command(self, layout, store, chance, lock_timeout=60):
        """With lanes and sizes of commits that `chance` draws, most of them small."""
        functions = [part for name in FUNCTIONS for part in ("--function", name)]
        return [self.tool, "--archive", self.archives[layout], "--store", store, "--progress", "none",
                "--lanes", str(chance.randint(1, 5)), "--commit-events", str(chance.choice([100, 250, 500, 2000])),
                "--commit-interval", str(chance.choice([0.005, 0.05, 10])),
                "--block-bytes", str(chance.choice([4096, 65536, 262144])), "--lock-timeout", str(lock_timeout), *functions]

    def seconds(self, command):
        """About how long such a run takes: of one that was not disturbed, into a store of its own."""
        archive, store = command[2], command[4]
        at = command.index("--commit-events")
        kind = (archive, store.startswith("postgres"), *command[at:at + 4])
        if kind not in self.lasts:
            with self.schema() as (_, address), tempfile.TemporaryDirectory(dir=self.scratch) as home:
                other = address if kind[1] else os.path.join(home, "s.db")
                began = time.monotonic()
                subprocess.run([*command[:4], other, *command[5:]], check=True, capture_output=True)
                self.lasts[kind] = time.monotonic() - began
        return self.lasts[kind]

    @contextlib.contextmanager
    def schema(self):
        """A new schema's name and address."""
        self.number += 1
        name = f"s{self.number}"
        self.server.sql(f"CREATE SCHEMA {name}")
        yield name, self.server.address(name)
        self.server.sql(f"SET client_min_messages = error; DROP SCHEMA {name} CASCADE")

    def commits(self, schema):
        """How many there are; None where no function was opened."""
        try:
            return int(self.server.sql(f"SELECT min(epochs) FROM {schema}._replay_functions")[0][0])
        except (AssertionError, ValueError):
            return None


def check_tally(store, path):
    with open(path) as file:
        tally = json.load(file)
    lines = lines_of_sqlite(store)
    for name in ("shade_velocity", "recently_viewed"):
        counted = [SEPARATOR.join(map(text, row)) for row in tally[name]]
        assert sorted(counted) == sorted(lines[name][1]), f"{name} is not what the generator counted"
