"""What the kinds of disturbance share: runs by seeds, each drawn again until it was disturbed, and their account."""
import argparse, collections, contextlib, random, signal, subprocess, sys, time

from postgres_scene import Scene
from postgres_server import kill

PATIENCE = 180


class Fault(Exception):
    """Not what should have happened."""


class Disturber:
    """One kind of disturbance. `seen` counts what happened, by words."""

    def __init__(self, scene):
        self.scene, self.seen = scene, collections.Counter()

    def once(self, chance, layout, stack):
        """Disturbs one run, brings it to its end and compares; False where it was over before it was disturbed. What lasts
        until then is entered into `stack`. Throws `Fault`."""
        raise NotImplementedError

    def run(self, seed):
        """None, or what went wrong."""
        chance = random.Random(f"{type(self).__name__} {seed}")
        while True:
            layout = chance.choice(list(self.scene.archives))
            with contextlib.ExitStack() as stack:
                try:
                    if self.once(chance, layout, stack):
                        return None
                except Fault as fault:
                    return f"{layout}: {fault}"
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
        """What it says."""
        code, said = self.finish(command, process)
        if code != 0:
            raise Fault(f"exit {code}: {said}\n{' '.join(command)}")
        return said


def begin(command, env=None):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env)


def main(kinds, runs, flag, ended):
    """Runs each of `kinds`, named by `flag`; `ended` completes "n of n runs"."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--runs", type=int, default=runs, help="of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(flag, dest="kinds", nargs="+", choices=kinds, default=list(kinds))
    parser.add_argument("--share", type=float, default=1, help="of the usual number of events")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    scene, failed, total = Scene(options.tool, options.share), 0, 0
    try:
        for name in options.kinds:
            seeds = range(options.seed, options.seed + options.runs)
            done, wrong = run_all(name, kinds[name](scene), seeds, ended)
            total, failed = total + done, failed + wrong
            if done < len(seeds):
                break
    finally:
        scene.close()
    print(f"{total - failed} passed, {failed} failed")
    sys.exit(bool(failed) or total < options.runs * len(options.kinds))


def run_all(name, disturber, seeds, ended):
    """How many runs there were, and of how many something went wrong; Ctrl-C or SIGTERM ends them early."""
    began, done, wrong = time.monotonic(), 0, 0
    with contextlib.suppress(KeyboardInterrupt):
        for seed in seeds:
            problem = disturber.run(seed)
            done += 1
            if problem:
                wrong += 1
                print(f"{name}, seed {seed}, {problem}", flush=True)
            if done % 25 == 0:
                print(f"{name}: {done} of {len(seeds)} are done, {wrong} went wrong", file=sys.stderr, flush=True)
    seen = "".join(f"\n  {count:,} {what}" for what, count in sorted(disturber.seen.items()))
    print(f"{name}, seeds from {seeds[0]}: {done - wrong} of {done} runs {ended}; {time.monotonic() - began:.0f} s{seen}",
          flush=True)
    return done, wrong
