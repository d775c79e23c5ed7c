"""A file system that loses what was not synced, for tests of power loss.

Usage: lossy_fs.py MOUNT --cut N --seed S [--strict] [--from DIR] --to DIR. It serves one flat directory out of memory, beginning
with the files of `--from`. At the N-th call that changes something (0: never) the power goes: what a disk could hold at that
moment is written to `--to`, "cut" is printed, and every later call fails (EIO). Where the power never goes, the end of the mount
is the cut.

What a disk could hold: of each file what was synced, and of each write and truncation since then all, nothing, or the first
sectors of 512 bytes, by chance and not in order. Of names made, changed and removed since the last sync a prefix, as a
journaling file system has it: any fsync makes all names before it durable. With `--strict` only one of the directory does.
"""
import argparse, errno, os, random, stat, sys, threading, time

import fusepy

SECTOR = 512


class File:
    """One file's bytes as they are read, as they were when it was synced, and what was done since."""

    def __init__(self, content=b""):
        self.content, self.synced, self.since = bytearray(content), bytes(content), []

    def write(self, offset, data):
        if len(self.content) < offset:
            self.content.extend(bytes(offset - len(self.content)))
        self.content[offset:offset + len(data)] = data
        self.since.append((offset, bytes(data)))

    def truncate(self, length):
        del self.content[length:]
        self.content.extend(bytes(length - len(self.content)))
        self.since.append((length, None))

    def sync(self):
        self.synced, self.since = bytes(self.content), []

    def survivor(self, chance):
        """What the disk has of it. How much is lost is drawn first: nothing, everything, or each write for itself."""
        disk, share = bytearray(self.synced), chance.choice([0, 0.1, 0.5, 0.9, 1])
        for offset, data in self.since:
            if chance.random() >= share:
                continue
            if data is None:
                del disk[offset:]
                disk.extend(bytes(offset - len(disk)))
                continue
            if chance.random() < 0.2:
                data = data[:chance.randrange(0, len(data) + 1, SECTOR)]
            disk.extend(bytes(max(0, offset - len(disk))))
            disk[offset:offset + len(data)] = data
        return bytes(disk)


class Names:
    """The directory: names as they are, as they were when they were synced, and each step since."""

    def __init__(self, files):
        self.now, self.synced, self.since = dict(files), dict(files), []

    def change(self, step):
        """A step: new names and their files, and None for names that go; it happens as a whole, as a rename does."""
        self.apply(self.now, step)
        self.since.append(step)

    @staticmethod
    def apply(names, step):
        for name, file in step.items():
            if file is None:
                names.pop(name, None)
            else:
                names[name] = file

    def sync(self):
        self.synced, self.since = dict(self.now), []

    def survivors(self, chance):
        names = dict(self.synced)
        for step in self.since[:chance.randint(0, len(self.since))]:
            self.apply(names, step)
        return names


class LossyDisk(fusepy.Operations):
    use_ns = True

    def __init__(self, files, cut, chance, strict, end):
        self.names, self.cut, self.chance, self.strict, self.end = Names(files), cut, chance, strict, end
        self.open_files, self.handles, self.calls, self.is_cut = {}, 0, 0, False
        self.mutex = threading.RLock()

    def __call__(self, operation, path, *arguments):
        with self.mutex:
            if self.is_cut:
                raise fusepy.FuseOSError(errno.EIO)
            if operation in ("create", "write", "truncate", "unlink", "rename", "fsync", "fsyncdir"):
                self.calls += 1
                if self.calls == self.cut:
                    self.lose_power()
                    raise fusepy.FuseOSError(errno.EIO)
            return super().__call__(operation, path, *arguments)

    def lose_power(self):
        self.is_cut = True
        for name, file in sorted(self.names.survivors(self.chance).items()):
            with open(os.path.join(self.end, name.lstrip("/")), "wb") as kept:
                kept.write(file.survivor(self.chance))
        print("cut", self.calls, flush=True)

    def file(self, path):
        if path not in self.names.now:
            raise fusepy.FuseOSError(errno.ENOENT)
        return self.names.now[path]

    def opened(self, file):
        self.handles += 1
        self.open_files[self.handles] = file
        return self.handles

    # What FUSE asks. `handle` is of a file that may have lost its name meanwhile.

    def getattr(self, path, handle=None):
        about = {"st_uid": os.getuid(), "st_gid": os.getgid(), "st_mtime": time.time_ns()}
        if path == "/":
            return {**about, "st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        file = self.open_files.get(handle) or self.file(path)
        return {**about, "st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": len(file.content)}

    def readdir(self, path, handle):
        return [".", "..", *(name.lstrip("/") for name in self.names.now)]

    def create(self, path, mode, info=None):
        self.names.change({path: File()})
        return self.opened(self.names.now[path])

    def open(self, path, flags):
        return self.opened(self.file(path))

    def read(self, path, size, offset, handle):
        return bytes(self.open_files[handle].content[offset:offset + size])

    def write(self, path, data, offset, handle):
        self.open_files[handle].write(offset, data)
        return len(data)

    def truncate(self, path, length, handle=None):
        (self.open_files.get(handle) or self.file(path)).truncate(length)

    def unlink(self, path):
        self.file(path)
        self.names.change({path: None})

    def rename(self, old, new):
        self.names.change({new: self.file(old), old: None})

    def fsync(self, path, data_only, handle):
        self.open_files[handle].sync()
        if not self.strict:
            self.names.sync()
        return 0

    def fsyncdir(self, path, data_only, handle):
        self.names.sync()
        return 0

    def release(self, path, handle):
        del self.open_files[handle]
        return 0

    def utimens(self, path, times=None):
        return 0

    def chmod(self, path, mode):
        return 0

    def chown(self, path, user, group):
        return 0

    def statfs(self, path):
        return {"f_bsize": 4096, "f_blocks": 1 << 20, "f_bavail": 1 << 19, "f_bfree": 1 << 19, "f_namemax": 255}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mount")
    parser.add_argument("--cut", type=int, default=0)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--from", dest="begin")
    parser.add_argument("--to", required=True)
    given = parser.parse_args()
    files = {}
    for name in sorted(os.listdir(given.begin)) if given.begin else []:
        with open(os.path.join(given.begin, name), "rb") as file:
            files["/" + name] = File(file.read())
    disk = LossyDisk(files, given.cut, random.Random(given.seed), given.strict, given.to)
    fusepy.FUSE(disk, given.mount, foreground=True, nothreads=True, attr_timeout=0, entry_timeout=0,
                negative_timeout=0, ac_attr_timeout=0)
    if not disk.is_cut:
        disk.lose_power()


if __name__ == "__main__":
    main()
