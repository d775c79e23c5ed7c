"""Which system calls are made to fail, and how: what a disk, a full disk or a signal may do to them."""
import errno

from kill_scenes import place

CALLS = ["read", "pread64", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "rename", "renameat",
         "renameat2", "unlink", "unlinkat", "mkdir", "openat", "mmap", "getdents64", "fstat", "newfstatat", "statx", "fcntl"]
# A short one is made, with half of the bytes: no count is made up. The error that it is followed by is that of a full disk.
SHORT, SHORT_THEN_FULL = "short", "short, then ENOSPC"
_READS = ["EIO", "EINTR", SHORT]
_WRITES = ["EIO", "ENOSPC", "EINTR", SHORT, SHORT_THEN_FULL]
FAULTS = {
    "read": _READS, "pread64": _READS, "write": _WRITES, "pwrite64": _WRITES, "fsync": ["EIO", "ENOSPC"],
    "fdatasync": ["EIO", "ENOSPC"], "ftruncate": ["EIO", "ENOSPC"], "fallocate": ["ENOSPC"], "rename": ["EIO", "ENOSPC"],
    "renameat": ["EIO"], "renameat2": ["EIO"], "unlink": ["EIO"], "unlinkat": ["EIO"], "mkdir": ["EIO", "ENOSPC"],
    "openat": ["EIO", "EMFILE", "ENOSPC"], "mmap": ["ENOMEM"], "getdents64": ["EIO"], "fstat": ["EIO"],
    "newfstatat": ["EIO"], "statx": ["EIO"], "fcntl": ["EIO", "EINTR"]}
# What a pipe to a program can do: it is closed, or a signal comes.
OF_A_PIPE = {"write": ["EPIPE", "EINTR", SHORT], "read": ["EINTR", SHORT]}
# Nobody is interrupted for ever; and whoever writes half of what is left for ever gets to the end.
ONCE_ONLY = {"EINTR", SHORT_THEN_FULL, "EPIPE"}
STORE = {"database", "log", "index", "journal", "directory"}


def disk(call, home, world):
    """What the call is about: "store", "report", "output", "archive", "stream", "function" or "pipe"; None for none of them."""
    about = place(call.path, home)
    if about in STORE:
        return "store"
    if about:
        return None if about == "other" else about
    for name, root in (("archive", world.whole), ("archive", world.part), ("stream", world.stream.root),
                       ("function", world.functions)):
        if call.path == root or call.path.startswith(root + "/"):
            return name
    return None


def faults(name, about):
    """(error, for ever) that a call of this name may get there."""
    named = OF_A_PIPE.get(name, []) if about == "pipe" else FAULTS[name]
    if name == "openat" and about in ("archive", "stream", "function"):
        named = [error for error in named if error != "ENOSPC"]
    if name == "fcntl" and about != "store":
        named = []
    return [(error, lasts) for error in named for lasts in ((False,) if error in ONCE_ONLY else (False, True))]


class Fault:
    """Asked at each call: makes the n-th of a name and a disk fail, or this and all later ones. With `number` None it only
    counts."""

    def __init__(self, home, world, kind=None, number=None, error=None, lasts=False):
        self.home, self.world, self.kind, self.number, self.error, self.lasts = home, world, kind, number, error, lasts
        self.seen, self.times = {}, 0

    def __call__(self, call):
        about = disk(call, self.home, self.world)
        if about is None:
            return
        kind = f"{call.name} {about}"
        count = self.seen[kind] = self.seen.get(kind, 0) + 1
        if self.number is None:
            return
        if kind == self.kind and (count == self.number or self.lasts and count > self.number):
            self.disturb(call)
        elif self.error == SHORT_THEN_FULL and self.times and "write" in call.name and kind.split()[1] == self.kind.split()[1]:
            call.fail(errno.ENOSPC)

    def disturb(self, call):
        if self.error not in (SHORT, SHORT_THEN_FULL):
            call.fail(getattr(errno, self.error))
        elif call.arguments[2] > 1:
            call.shorten(call.arguments[2] // 2)
        else:
            return
        self.times += 1
