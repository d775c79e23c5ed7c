"""What the tests of builds share: an archive, a stream that grows, a function whose rows say which version of it made them,
and readers that look at its tables all the while."""
import collections, json, os, random, sqlite3, subprocess, sys, tempfile, threading, time

from streams import DirectoryStream
from support import TOOL, replay
from torture import Archive

PARTITIONS, KEYS = 3, 40

# Each row says by `tag` which version made it; of each key there is one in both tables.
FUNCTION = """
import json, sys
tag = int(sys.argv[1])
for line in sys.stdin:
    given = json.loads(line)
    event = given["event"]
    row = {"k": given["key"], "tag": tag}
    print(json.dumps({"merges": [
        {"table": "totals", "row": {**row, "events": 1, "cents": event["cents"] + (tag == 3 and event["id"] == "1-7")}},
        {"table": "lasts", "row": {**row, "sequence": event["sequence"]}}]}), flush=True)
"""
TABLES = {"function": "tags", "contract": "changes", "tables": {
    "totals": {"key": {"k": "text"}, "merge": {"events": "sum", "cents": "sum", "tag": "max integer"}},
    "lasts": {"key": {"k": "text"}, "merge": {"sequence": "max integer", "tag": "max integer"}}}}


class SQLite:
    """A store in a file, and how it is read."""
    def __init__(self, folder):
        self.name = os.path.join(folder, "store.db")

    def query(self, sql):
        connection = sqlite3.connect(f"file:{self.name}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def write(self, sql):
        connection = sqlite3.connect(self.name, timeout=10)
        try:
            connection.executescript(sql)
        finally:
            connection.close()

    def close(self):
        pass


class Postgres:
    def __init__(self, server, schema):
        self.server, self.schema, self.name = server, schema, server.address(schema)
        server.sql(f"CREATE SCHEMA {schema}")

    def query(self, sql):
        number = lambda text: int(text) if text.lstrip("-").isdigit() else text
        return [tuple(number(cell) for cell in row) for row in self.server.sql(sql, schema=self.schema)]

    def write(self, sql):
        self.server.sql(sql, schema=self.schema)

    def close(self):
        self.server.sql(f"DROP SCHEMA {self.schema} CASCADE")


class Session:
    """One connection that stays: psql, asked line by line. The statement is prepared once, as drivers do."""
    def __init__(self, server, schema, statement):
        self.process = subprocess.Popen(
            [*server.psql(), "-v", "VERBOSITY=verbose"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.ask(f"SET search_path = {schema}; PREPARE mine AS {statement};")

    def ask(self, sql):
        self.process.stdin.write(sql + "\n\\echo .\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline().rstrip("\n")) != ".":
            if "ERROR" in line or not line and self.process.poll() is not None:
                raise AssertionError(line)
            lines.append(tuple(map(int, line.split("\x1f"))))
        return lines

    def __call__(self, _):
        return self.ask("EXECUTE mine;")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class World:
    """An archive of the first events of a stream that is written to as long as it runs."""
    def __init__(self, store, seed=5, archived=300):
        self.folder = tempfile.mkdtemp(prefix="replay-builds-")
        self.store = store(self.folder)
        self.chance, self.lock = random.Random(seed), threading.Lock()
        self.events = [[] for _ in range(PARTITIONS)]
        lines = [[self.line(partition) for _ in range(archived)] for partition in range(PARTITIONS)]
        self.archive = Archive(random.Random(0), os.path.join(self.folder, "archive"), lines)
        self.archive.layout = "confluent"
        self.stream = DirectoryStream(os.path.join(self.folder, "retail"), self.chance)
        self.stream.create(PARTITIONS)
        for partition, own in enumerate(lines):
            for end in range(100, archived + 1, 100):
                self.archive.add(partition, end)
            self.stream.append(partition, own)
        self.declaration, script = os.path.join(self.folder, "tags.json"), os.path.join(self.folder, "tags.py")
        with open(self.declaration, "w") as file:
            json.dump(TABLES, file)
        with open(script, "w") as file:
            file.write(FUNCTION)
        self.script, self.processes, self.writer, self.isOver = script, [], None, threading.Event()

    def line(self, partition):
        own = self.events[partition]
        event = {"specversion": "1.0", "id": f"{partition}-{len(own)}", "type": "counted",
                 "time": f"2026-01-01T00:00:00.{len(own) % 1000:03}Z", "sequence": len(own),
                 "partitionkey": f"k-{self.chance.randrange(KEYS) * PARTITIONS + partition}",
                 "cents": self.chance.randint(1, 9999)}
        own.append(event)
        return json.dumps(event).encode()

    def produce(self, pause=0.01):
        def work():
            while not self.isOver.wait(pause):
                with self.lock:
                    partition = self.chance.randrange(PARTITIONS)
                    self.stream.append(partition, [self.line(partition) for _ in range(self.chance.randint(1, 5))])
        self.writer = threading.Thread(target=work)
        self.writer.start()

    def function(self, tag):
        return ["--function", f"exec:{sys.executable} {self.script} {tag}", "--tables", self.declaration]

    def arguments(self, tag, live=True, *more):
        return ["--archive", self.archive.root, "--store", self.store.name, *self.function(tag), "--lanes", "1",
                *(["--live", self.stream.address, "--overlap-events", "20"] if live else []), "--progress", "none", *more]

    def start(self, verb, tag, *more):
        process = subprocess.Popen([TOOL, verb, *map(str, self.arguments(tag, True, *more))],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.processes.append(process)
        return process

    def ask(self, verb, *more):
        return replay(verb, "--function", "tags", "--store", self.store.name, *more)

    def builds(self):
        """Of the builds that are there: number → (state, phase, events)."""
        done = replay("status", "--json", "--store", self.store.name)
        if done.returncode != 0:
            return {}
        functions = json.loads(done.stdout.splitlines()[0])["functions"]
        return {(f["build"] or {"number": 1})["number"]: ((f["build"] or {"state": "serving"})["state"], f["phase"], f["events"])
                for f in functions}

    def wait(self, is_so, seconds=60):
        end = time.time() + seconds
        while not is_so():
            if time.time() > end:
                raise AssertionError(f"not in {seconds} s: {self.builds()}")
            time.sleep(0.05)

    def serve(self, tag=1):
        """The first build, which follows the stream."""
        process = self.start("run", tag)
        self.wait(lambda: self.follows(process, 1))
        return process

    def follows(self, process, number):
        if process.poll() is not None:
            raise AssertionError(f"it ended with {process.returncode}: {process.communicate()[0]}")
        return self.builds().get(number, ("", "", 0))[1] == "live"

    def rebuild(self, tag, number=2):
        process = self.start("rebuild", tag)
        self.wait(lambda: self.follows(process, number))
        return process

    def settle(self):
        """Stops the producer; answers the rows that the tables are to have, by plain counting, without tags."""
        self.isOver.set()
        if self.writer:
            self.writer.join()
        events = [event for own in self.events for event in own]
        totals, cents, lasts = collections.Counter(), collections.Counter(), {}
        for event in events:
            key = event["partitionkey"]
            totals[key] += 1
            cents[key] += event["cents"]
            lasts[key] = max(lasts.get(key, 0), event["sequence"])
        self.wait(lambda: all(found[2] == len(events) for found in self.builds().values()))
        return sorted((key, totals[key], cents[key]) for key in totals), sorted(lasts.items())

    def rows(self, ending=""):
        """Of both tables, without tags; and the tags."""
        totals = self.store.query(f"SELECT k, events, cents FROM totals{ending} ORDER BY k")
        lasts = self.store.query(f"SELECT k, sequence FROM lasts{ending} ORDER BY k")
        tags = self.store.query(f"SELECT tag FROM totals{ending} UNION SELECT tag FROM lasts{ending}")
        return (sorted(map(tuple, totals)), sorted(map(tuple, lasts))), sorted(tag for (tag,) in tags)

    def stop(self):
        codes = []
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
            self.out = process.communicate(timeout=30)[0]
            codes.append((process.returncode, self.out))
        self.processes = []
        return codes

    def close(self):
        self.isOver.set()
        if self.writer:
            self.writer.join()
        self.stop()
        self.store.close()
        subprocess.run(["rm", "-rf", self.folder])


class Readers:
    """Threads that join both tables again and again: an error, or rows of two versions in one answer, is a fault."""
    JOINED = "SELECT DISTINCT a.tag, b.tag FROM totals a JOIN lasts b ON a.k = b.k"

    def __init__(self, connect, count=2):
        self.faults, self.seen, self.slowest, self.isOver = [], [], 0, threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(connect,), daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def work(self, connect):
        query = connect()
        try:
            self.look(query)
        finally:
            getattr(query, "close", lambda: None)()

    def look(self, query):
        while not self.isOver.is_set():
            began = time.time()
            try:
                found = query(self.JOINED)
            except Exception as error:
                self.faults.append(repr(error))
                return
            self.slowest = max(self.slowest, time.time() - began)
            if len(found) != 1 or found[0][0] != found[0][1]:
                self.faults.append(f"mixed: {found}")
            elif not self.seen or self.seen[-1] != int(found[0][0]):
                self.seen.append(int(found[0][0]))

    def end(self):
        self.isOver.set()
        for thread in self.threads:
            thread.join()
