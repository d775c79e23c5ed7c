"""Servers that crash, runs that are killed and answers to COMMIT that are lost, at random moments of replays into PostgreSQL:
afterwards every table is, row for row, what an undisturbed run makes of the archive in SQLite.

Usage: postgres_torture.py REPLAY [--runs 300] [--seed 1] [--kinds server kill commit] [--share 1]. Run n of each kind draws
from seed + n: archive, lanes, sizes of commits, and moments. A disturbance that came too late, when the run was over, is
drawn again. `postgres_zombies.py` has runs that are stopped, taken over, and woken.
"""
import subprocess, time

from postgres_disturber import Disturber, Fault, begin, main
from postgres_proxy import Proxy
from postgres_server import SECRET

CALLS = ["sendto", "recvfrom", "poll"]


class IntoPostgres(Disturber):
    def once(self, chance, layout, stack):
        schema, address = stack.enter_context(self.scene.schema())
        was_disturbed = self.disturb(chance, layout, schema, address)
        if problem := self.scene.undisturbed[layout].difference(schema):
            raise Fault(problem)
        self.seen["commits"] += self.scene.commits(schema)
        return was_disturbed

    def disturb(self, chance, layout, schema, address):
        """Disturbs a run, and brings it to its end; False where it was over before."""
        raise NotImplementedError

    def count(self, what, schema):
        """By where it happened."""
        commits = self.scene.commits(schema)
        self.seen[f"{what} before the store was opened" if commits is None else f"{what} before the first commit"
                  if commits == 0 else f"{what} between commits"] += 1


class ServerCrashes(IntoPostgres):
    """`pg_ctl stop -m immediate`, and the server comes back at once: the run that is going on ends well. Some have a second
    crash."""

    def disturb(self, chance, layout, schema, address):
        command = self.scene.command(layout, address, chance)
        seconds = self.scene.seconds(command)
        process, crashes = begin(command), 0
        for _ in range(chance.choice([1, 1, 1, 2])):
            time.sleep(chance.uniform(0.1, 0.9) * seconds)
            if process.poll() is not None:
                break
            self.scene.server.stop("immediate")
            was_running = process.poll() is None
            self.scene.server.start()
            if was_running:
                crashes += 1
                self.count("crashes", schema)
        code, said = self.finish(command, process)
        if code == 69 and "reached before" not in said:
            # A server that was never reached is not waited for.
            self.seen["ended by exit 69 before it ever reached the server, and begun again"] += 1
            self.finish_well(command)
        elif code != 0:
            raise Fault(f"exit {code}: {said}\n{' '.join(command)}")
        return crashes > 0


class Kills(IntoPostgres):
    """kill -9 at a random time, or at the n-th call of one kind that libpq makes; then the same command again, with other
    lanes and commits."""

    def disturb(self, chance, layout, schema, address):
        kills = 0
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            kills += self.kill_once(chance, self.scene.command(layout, address, chance), schema)
        self.finish_well(self.scene.command(layout, address, chance))
        return kills > 0

    def kill_once(self, chance, command, schema):
        if chance.random() < 0.5:
            calls, number = chance.choice(CALLS), min(int(chance.paretovariate(0.5)), 300)
            done = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", f"trace={calls}", "-e",
                                   f"inject={calls}:signal=KILL:when={number}", *command], capture_output=True)
            was_killed = done.returncode != 0
        else:
            process = begin(command)
            time.sleep(chance.uniform(0, 0.9) * self.scene.seconds(command))
            process.kill()
            process.communicate()
            was_killed = process.returncode == -9
        if was_killed:
            self.count("kills", schema)
        return was_killed


class LostAnswers(IntoPostgres):
    """A proxy cuts the connection at COMMIT: before the server hears it, after it did it, or it hears it late."""

    def disturb(self, chance, layout, schema, _):
        shares = [chance.choice([0, 0.05, 0.2]) for _ in range(3)]
        proxy = Proxy("127.0.0.1", self.scene.server.port, chance.random(), *shares)
        store = f"postgres://replay@127.0.0.1:{proxy.port}/app?schema={schema}"
        command = self.scene.command(layout, store, chance)
        try:
            self.finish_well(command, begin(command, env={"PGPASSWORD": SECRET}))
        finally:
            proxy.close()
        self.seen["COMMITs not done"] += proxy.cut_before
        self.seen["COMMITs done"] += proxy.cut_after
        self.seen["COMMITs done late"] += proxy.cut_late
        return proxy.cut_before + proxy.cut_after + proxy.cut_late > 0


KINDS = {"server": ServerCrashes, "kill": Kills, "commit": LostAnswers}


if __name__ == "__main__":
    main(KINDS, 300, "--kinds", "ended with the rows of SQLite")
