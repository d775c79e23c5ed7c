"""A PostgreSQL server of the tests' own, in a directory of its own: a socket, a loopback port, and passwords on the port."""
import glob, os, shutil, signal, socket, subprocess, tempfile, time

BIN = os.environ.get("REPLAY_POSTGRES", max(glob.glob("/usr/lib/postgresql/*/bin"), default="/usr/lib/postgresql/15/bin"))
SECRET = "canary-9f3b"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`durable`: it syncs, so that a crash may be tried. Certificates in `tls` (a directory) turn TLS on. `home`: where its
    directory is made."""

    def __init__(self, durable=True, tls=None, databases=("app",), home=None):
        self.home = tempfile.mkdtemp(prefix="replay-postgres-", dir=home)
        os.chmod(self.home, 0o777)
        self.data, self.port, self.durable, self.tls = os.path.join(self.home, "data"), free_port(), durable, tls
        self.as_server(f"{BIN}/initdb", "-D", self.data, "-U", "replay", "-A", "trust", "-E", "UTF8",
                       "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en", "--no-sync", "--no-instructions")
        kind = "hostssl" if tls else "host"
        with open(os.path.join(self.data, "pg_hba.conf"), "w") as file:
            file.write(f"local all all trust\n{kind} all all 127.0.0.1/32 scram-sha-256\n{kind} all all ::1/128 scram-sha-256\n")
        self.start()
        for name in databases:
            self.sql(f"CREATE DATABASE {name}", database="postgres")
        self.sql(f"ALTER ROLE replay PASSWORD '{SECRET}'")

    def as_server(self, *command, check=True):
        """PostgreSQL refuses to be run by root."""
        other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        return subprocess.run([*other, *command], cwd="/tmp", check=check, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)

    def start(self):
        options = [f"-k {self.home}", f"-p {self.port}", "-c listen_addresses=127.0.0.1", "-c max_connections=50",
                   "-c deadlock_timeout=100ms"]
        if not self.durable:
            options += ["-c fsync=off", "-c full_page_writes=off"]
        if self.tls:
            options += ["-c ssl=on", f"-c ssl_cert_file={self.tls}/server.crt", f"-c ssl_key_file={self.tls}/server.key"]
        self.as_server(f"{BIN}/pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", os.path.join(self.home, "log"), "-o",
                       " ".join(options), "start")

    def stop(self, mode="immediate"):
        self.as_server(f"{BIN}/pg_ctl", "-D", self.data, "-w", "-m", mode, "stop", check=False)

    def close(self):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def address(self, schema=None, database="app", user="replay", more=""):
        """Over the socket, where everybody is trusted."""
        return (f"postgresql:///{database}?host={self.home}&port={self.port}&user={user}"
                + (f"&schema={schema}" if schema else "") + more)

    def over_tcp(self, schema=None, database="app", user="replay", host="127.0.0.1", more=""):
        address = f"postgres://{user}@{host}:{self.port}/{database}"
        query = (f"schema={schema}" if schema else "") + more
        return address + ("?" + query.lstrip("&") if query else "")

    def psql(self, database="app"):
        """The command, over the socket; columns are parted by a byte that no text has."""
        # Not the distribution's wrapper, whose Perl takes longer than the query.
        return [f"{BIN}/psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-h", self.home, "-p", str(self.port), "-U", "replay",
                "-d", database]

    def sql(self, text, database="app", schema=None):
        """The rows, each a tuple of texts."""
        done = subprocess.run(
            [*self.psql(database), "-v", "ON_ERROR_STOP=1", "-c", (f"SET search_path = {schema}; " if schema else "") + text],
            capture_output=True, text=True, env={**os.environ, "PGTZ": "UTC"})
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return [tuple(line.split("\x1f")) for line in done.stdout.splitlines()]

    def ended(self, process, seconds=60):
        """The exit code, or None."""
        end = time.time() + seconds
        while process.poll() is None and time.time() < end:
            time.sleep(0.02)
        return process.poll()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
