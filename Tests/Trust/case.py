"""What the tests of this room share: a directory, a small archive in it, a store, and the tool run on them."""
import contextlib, os, shutil, sqlite3, sys, tempfile, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.normpath(os.path.join(HERE, "..", "BlackBox")))
from support import ROOT, replay  # noqa: E402,F401


class Case(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="replay-trust-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.archive, self.store = self.path("archive"), self.path("t.db")

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def put(self, name, content, below=None):
        """A file of the archive, or of `below`; its path."""
        path = os.path.join(below or self.archive, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def run_tool(self, *more, function="shade-velocity", code=0, **options):
        done = replay("--archive", self.archive, "--function", function, "--store", self.store, *more, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def rows(self, sql="SELECT shade, units FROM shade_velocity ORDER BY shade"):
        with contextlib.closing(sqlite3.connect(self.store)) as database:
            return database.execute(sql).fetchall()

    def change(self, sql):
        with contextlib.closing(sqlite3.connect(self.store, isolation_level=None)) as database:
            database.execute(sql)
