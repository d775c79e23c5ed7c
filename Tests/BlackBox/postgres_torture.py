"""Servers that crash, runs that are killed and answers to COMMIT that are lost, at random moments of replays into PostgreSQL:
afterwards every table is, row for row, what an undisturbed run makes of the archive in SQLite.

Usage: postgres_torture.py REPLAY [--runs 300] [--seed 1] [--kinds server kill commit] [--share 1]. Run n of each kind draws
from seed + n: archive, lanes, sizes of commits, and moments. A disturbance that came too late, when the run was over, is
drawn again. `postgres_zombies.py` has runs that are stopped, taken over, and woken.
"""
import argparse, collections, random, subprocess, sys, time

from postgres_proxy import Proxy
from postgres_scene import Scene
from postgres_server import SECRET, kill

CALLS = ["sendto", "recvfrom", "poll"]
PATIENCE = 180


class Fault(Exception):
    """Not what should have happened."""


class Disturber:
    """One kind of disturbance. `seen` counts what happened, by words."""

    def __init__(self, scene):
        self.scene, self.seen = scene, collections.Counter()

    def once(self, chance, layout, schema, address):
        """Disturbs one run and brings it to its end; False where it was over before. Throws `Fault`."""
        raise NotImplementedError

    def run(self, seed):
        """None, or what went wrong."""
        chance = random.Random(f"{type(self).__name__} {seed}")
        while True:
            layout = chance.choice(list(self.scene.archives))
            with self.scene.schema() as (schema, address):
                try:
                    was_disturbed = self.once(chance, layout, schema, address)
                except Fault as fault:
                    return f"{layout}: {fault}"
                problem = self.scene.undisturbed[layout].difference(schema)
                if problem:
                    return f"{layout}: {problem}"
                if was_disturbed:
                    self.seen["commits"] += self.scene.commits(schema)
                    return None
                self.seen["drawn again"] += 1

    def finish(self, command, process=None):
        """The exit code and the words of a run that is given its time."""
        process = process or begin(command)
        try:
            said = process.communicate(timeout=PATIENCE)[1]
        except subprocess.TimeoutExpired:
            kill(process)
            raise Fault(f"it did not end in {PATIENCE} s: {' '.join(command)}")
        return process.returncode, said

    def finish_well(self, command, process=None):
        code, said = self.finish(command, process)
        if code != 0:
            raise Fault(f"exit {code}: {said}\n{' '.join(command)}")


def begin(command, env=None):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env)


class ServerCrashes(Disturber):
    """`pg_ctl stop -m immediate`, and the server comes back at once: the run that is going on ends well. Some have a second
    crash."""

    def once(self, chance, layout, schema, address):
        command = self.scene.command(layout, address, chance)
        seconds = self.scene.seconds(command)
        process, crashes = begin(command), 0
        for _ in range(chance.choice([1, 1, 1, 2])):
            time.sleep(chance.uniform(0, 0.9 * seconds))
            if process.poll() is not None:
                break
            self.scene.server.stop("immediate")
            crashes += process.poll() is None
            self.scene.server.start()
            done = self.scene.commits(schema)
            self.seen["crashes before the store was opened" if done is None else "crashes before the first commit"
                      if done == 0 else "crashes between commits"] += 1
        code, said = self.finish(command, process)
        if code == 69 and "reached before" not in said:
            # A server that was never reached is not waited for.
            self.seen["ended by exit 69 before it ever reached the server, and begun again"] += 1
            self.finish_well(command)
        elif code != 0:
            raise Fault(f"exit {code}: {said}\n{' '.join(command)}")
        return crashes > 0


class Kills(Disturber):
    """kill -9 at a random time, or at the n-th call of one kind that libpq makes; then the same command again, with other
    lanes and commits."""

    def once(self, chance, layout, schema, address):
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
            time.sleep(chance.uniform(0, 0.9 * self.scene.seconds(command)))
            process.kill()
            process.communicate()
            was_killed = process.returncode == -9
        if was_killed:
            done = self.scene.commits(schema)
            self.seen["kills before the store was opened" if done is None else "kills before the first commit"
                      if done == 0 else "kills between commits"] += 1
        return was_killed


class LostAnswers(Disturber):
    """A proxy cuts the connection at COMMIT: before the server hears it, after it did it, or it hears it late."""

    def once(self, chance, layout, schema, _):
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--runs", type=int, default=300, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--share", type=float, default=1, help="of the usual number of events")
    options = parser.parse_args()
    scene, failed = Scene(options.tool, options.share), 0
    try:
        for name in options.kinds:
            disturber, began, wrong = KINDS[name](scene), time.monotonic(), 0
            for seed in range(options.seed, options.seed + options.runs):
                problem = disturber.run(seed)
                if problem:
                    wrong += 1
                    print(f"{name}, seed {seed}, {problem}", flush=True)
            seen = ", ".join(f"{count:,} {what}" for what, count in sorted(disturber.seen.items()))
            print(f"{name}, seeds {options.seed} to {options.seed + options.runs - 1}: {options.runs - wrong} of {options.runs} "
                  f"runs ended with the rows of SQLite; {seen}; {time.monotonic() - began:.0f} s", flush=True)
            failed += wrong
    finally:
        scene.close()
    total = options.runs * len(options.kinds)
    print(f"{total - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
