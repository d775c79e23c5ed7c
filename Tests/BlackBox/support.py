"""What the black-box tests share: where the tool and the fixtures are, and how to run one command."""
import os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
TOOL = os.environ.get("REPLAY_TOOL", os.path.join(ROOT, ".build", "release", "replay"))
FIXTURES = os.path.join(ROOT, "fixtures")
GOOD = os.path.join(FIXTURES, "archives", "good")
BAD = os.path.join(FIXTURES, "archives", "bad")


def replay(*arguments, env=None, stdin=None, timeout=120):
    """Runs the tool; answers the finished process with text output."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REPLAY_")}
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          env={**clean, **(env or {})}, input=stdin)


def generate(out, *arguments):
    subprocess.run([sys.executable, os.path.join(FIXTURES, "generate.py"), "archive", "--out", out,
                    *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def python_with_packages():
    """The environment in which `python3` has the packages of `requirements.txt`, which `make` installs."""
    folder = os.environ.get("REPLAY_PYTHON", os.path.join(ROOT, ".build", "python", "bin"))
    return {"PATH": folder + os.pathsep + os.environ["PATH"]}
