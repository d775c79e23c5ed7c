"""Runs that are stopped (SIGSTOP) at a random moment, inside a commit too, while a second run takes the function over and
finishes; then the first is woken. It must end with its documented exit code, and write nothing any more: no row is touched,
no position, not even with what is there already. Others go on side by side instead.

Usage: postgres_zombies.py REPLAY [--runs 200] [--seed 1] [--stores postgres sqlite] [--share 1]. Run n draws from seed + n. Of a
stopped run some connections survive, some are ended by the server while it sleeps.
"""
import contextlib, os, signal, sqlite3, subprocess, tempfile, threading, time

from postgres_disturber import Disturber, Fault, begin, main
from postgres_proxy import Proxy
from postgres_rows import digests_of_sqlite
from postgres_server import SECRET, kill

# Of a transaction whose process sleeps, milliseconds until the server ends it; a minute where nothing is said.
IDLE = 400


class Postgres:
    """A schema, and the sessions of the runs into it: of no other store at the same time."""
    has_proxy = True
    brief = f"&options=-cidle_in_transaction_session_timeout%3D{IDLE}"

    def __init__(self, scene, layout, stack):
        self.scene, self.layout = scene, layout
        self.schema, self.address = stack.enter_context(scene.schema())
        self.of_first = self.address + self.brief

    def is_opened(self):
        return self.scene.commits(self.schema) is not None

    def every_bit(self):
        return self.scene.undisturbed[self.layout].every_bit(self.schema)

    def difference(self):
        return self.scene.undisturbed[self.layout].difference(self.schema)

    def through(self, proxy):
        return f"postgres://replay@127.0.0.1:{proxy.port}/app?schema={self.schema}{self.brief}"

    def sessions(self):
        """Process, state and last statement's first word of each, one in a transaction first."""
        found = self.scene.server.sql("SELECT pid, state, (regexp_match(query, '[A-Za-z]+'))[1] FROM pg_stat_activity "
                                      "WHERE application_name = 'replay'")
        return sorted(found, key=lambda one: one[1] == "idle")

    def end(self, sessions):
        for process, *_ in sessions:
            self.scene.server.sql(f"SELECT pg_terminate_backend({process})")


class SQLite:
    has_proxy = False

    def __init__(self, scene, layout, stack):
        self.scene, self.layout = scene, layout
        self.address = self.of_first = os.path.join(stack.enter_context(tempfile.TemporaryDirectory(dir=scene.scratch)), "s.db")

    def is_opened(self):
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.address}?mode=ro", uri=True)) as database:
                return database.execute("SELECT min(epochs) FROM _replay_functions").fetchone()[0] is not None
        except sqlite3.OperationalError:
            return False

    def every_bit(self):
        with contextlib.closing(sqlite3.connect(self.address)) as database:
            return list(database.iterdump())

    def difference(self):
        found, expected = digests_of_sqlite(self.address), self.scene.undisturbed[self.layout].digests
        wrong = [name for name in expected if found.get(name) != expected[name]]
        return f"other rows in {wrong}" if wrong or len(found) != len(expected) else None

    def sessions(self):
        return []


class Zombies(Disturber):
    kind = Postgres

    def once(self, chance, layout, stack):
        store = self.kind(self.scene, layout, stack)
        way = chance.choice([self.side_by_side] + [self.stopped] * 3 + [self.stopped_at_commit] * store.has_proxy)
        was_disturbed = way(chance, store)
        if problem := store.difference():
            raise Fault(problem)
        return was_disturbed

    @contextlib.contextmanager
    def first(self, command):
        process = begin(command, env={**os.environ, "PGPASSWORD": SECRET})
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            if process.poll() is None:
                kill(process)

    def side_by_side(self, chance, store):
        command = self.scene.command(store.layout, store.of_first, chance)
        with self.first(command) as process:
            time.sleep(chance.uniform(0.1, 0.9) * self.scene.seconds(command))
            if process.poll() is not None or not store.is_opened():
                self.finish_well(command, process)
                return False
            self.finish_well(self.scene.command(store.layout, store.address, chance))
            code, said = self.finish(command, process)
            self.judge(code, said, code == 0)
            self.seen[f"side by side, the older ended with {code}"] += 1
            return code != 0

    def stopped(self, chance, store):
        command = self.scene.command(store.layout, store.of_first, chance)
        seconds = self.scene.seconds(command)
        with self.first(command) as process:
            time.sleep(chance.uniform(0.1, 0.9) * seconds)
            stop(process)
            if process.poll() is not None or not store.is_opened():
                process.send_signal(signal.SIGCONT)
                self.finish_well(command, process)
                return False
            time.sleep(0.01)  # What the server has of it is done.
            asleep = store.sessions()
            where = place(asleep[0]) if asleep else "outside a transaction"
            if asleep and chance.random() < 0.2:
                store.end(asleep)
                where = "its connections ended meanwhile"
            return self.replaced(chance, store, process, where)

    def stopped_at_commit(self, chance, store):
        """With a COMMIT on its way, which the server then does or does not hear, and whose answer may be lost."""
        number, is_asleep = chance.randint(2, 12), threading.Event()
        what, way = chance.choice([("is done", {}), ("is not done", {"before": 1}), ("is done, the answer lost", {"after": 1}),
                                   ("is done late, the answer lost", {"late": 1})])

        def at_commit(count):
            # The others go through.
            for name in ("before", "after", "late"):
                setattr(proxy, name, way.get(name, 0) if count == number else 0)
            if count == number:
                stop(process)
                is_asleep.set()

        proxy = Proxy("127.0.0.1", self.scene.server.port, chance.random(), 0, 0, at_commit=at_commit)
        command = self.scene.command(store.layout, store.through(proxy), chance)
        try:
            with self.first(command) as process:
                while not is_asleep.is_set() and process.poll() is None:
                    is_asleep.wait(0.01)
                if not is_asleep.is_set():
                    self.finish_well(command, process)
                    return False
                return self.replaced(chance, store, process, f"at a COMMIT that {what}")
        finally:
            proxy.close()

    def replaced(self, chance, store, process, where):
        """A second run finishes, then the first is woken."""
        asleep = store.sessions()
        second = self.take_over(store, chance, asleep)
        if second is None:
            return self.holds_the_lock(process)
        survived = len(set(store.sessions()) & set(asleep))
        before = store.every_bit()
        if problem := store.difference():
            raise Fault(f"after the second run: {problem}")
        process.send_signal(signal.SIGCONT)
        code, said = self.finish(process.args, process)
        if store.every_bit() != before:
            raise Fault(f"it wrote after it was woken (stopped: {where}), exit {code}: {said}")
        # Where its last commit was done already, there was nothing to take over.
        self.judge(code, said, "nothing to do" in second)
        self.seen[f"stopped: {where}"] += 1
        self.seen[f"woken, ended with {code}"] += 1
        self.seen["woken with a connection that survived"] += survived > 0
        return True

    def take_over(self, store, chance, asleep):
        """What the second run says once it is done; None where it was refused, for the lock."""
        is_sqlite = self.kind is SQLite
        command = self.scene.command(store.layout, store.address, chance, lock_timeout=1 if is_sqlite else 60)
        process = begin(command)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=8)
        held = [one for one in store.sessions() if one[1] == "active" and one in asleep]
        if process.poll() is None and held:
            # As somebody would who looks after the server.
            self.seen[f"held the lock until its session was ended by hand: {place(held[0])}"] += 1
            store.end(held)
        code, said = self.finish(command, process)
        if is_sqlite and code == 75:
            return None
        if code != 0:
            raise Fault(f"the second run: exit {code}: {said}\n{' '.join(command)}")
        return said

    def holds_the_lock(self, process):
        """A process that was stopped inside SQLite's transaction has the file's lock: nothing is taken over, and it goes on."""
        process.send_signal(signal.SIGCONT)
        self.finish_well(process.args, process)
        self.seen["stopped inside the transaction: the second run was refused (75), the first went on to its end"] += 1
        return True

    @staticmethod
    def judge(code, said, may_be_done):
        if code == 76 and "another run owns the function" in said or code == 0 and may_be_done:
            return
        # It cannot know what became of a COMMIT whose connection was ended.
        if code == 75 and "did not say whether the last commit was written" in said:
            return
        raise Fault(f"the first run: exit {code}: {said}")


def place(session):
    _, state, query = session
    return f"{state}, at {query}" if state != "idle" else "between two transactions"


def stop(process):
    """Until it sleeps, or is over."""
    process.send_signal(signal.SIGSTOP)
    end = time.monotonic() + 5
    while process.poll() is None and time.monotonic() < end:
        with open(f"/proc/{process.pid}/stat") as file:
            if file.read().rsplit(")", 1)[1].split()[0] in "TZ":
                return


class InSQLite(Zombies):
    kind = SQLite


if __name__ == "__main__":
    main({"postgres": Zombies, "sqlite": InSQLite}, 200, "--stores",
         "wrote nothing once they were woken, and left the rows of an undisturbed run")
