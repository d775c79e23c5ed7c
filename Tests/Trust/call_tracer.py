"""Runs a command and does something at its n-th system call: counted over all threads of the process, not of its children.

strace counts each thread for itself, and what it injects for a short write never writes. Here a seccomp filter stops the
process at the chosen calls only, before they are made; an action then looks at the call and kills the process, fails the
call, or makes it shorter, which the kernel then really does. x86-64 Linux. One run at a time in a process of its own
thread (ptrace belongs to a thread); the tracer waits for every process that the command started.
"""
import ctypes, os, signal, struct

NUMBERS = {"read": 0, "write": 1, "fstat": 5, "mmap": 9, "pread64": 17, "pwrite64": 18, "fcntl": 72, "fsync": 74,
           "fdatasync": 75, "ftruncate": 77, "rename": 82, "mkdir": 83, "unlink": 87, "getdents64": 217, "openat": 257,
           "newfstatat": 262, "unlinkat": 263, "renameat": 264, "fallocate": 285, "renameat2": 316, "statx": 332}
NAMES = {number: name for name, number in NUMBERS.items()}
# Which argument is a path; where it is the second, the first is the directory that it begins in.
OF_A_PATH = {"rename": 0, "mkdir": 0, "unlink": 0, "openat": 1, "renameat": 1, "unlinkat": 1, "newfstatat": 1, "renameat2": 1,
             "statx": 1}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long
_CONT, _GETREGS, _POKEUSER, _SEIZE, _SYSCALL = 7, 12, 6, 0x4206, 24
# Threads, children, exec and the filter's stops are told; all die with the tracer.
_OPTIONS = 0x2 | 0x4 | 0x8 | 0x10 | 0x80 | 0x100000
_SECCOMP_STOP, _EXEC_STOP = 7, 4
_ALL = 0x40000000  # __WALL
# Of struct user_regs_struct, in words.
_RAX, _ORIG_RAX, _ARGUMENTS = 10, 15, (14, 13, 12, 7, 9, 8)


def _ptrace(request, pid, address=0, data=0):
    answer = _libc.ptrace(request, pid, address, data)
    if answer == -1:
        raise OSError(ctypes.get_errno(), f"ptrace {request} of {pid}")
    return answer


def _filter(numbers):
    """A program that stops at these calls of x86-64 and lets all others pass."""
    lines = [(0x20, 0, 0, 4), (0x15, 1, 0, 0xC000003E), (0x06, 0, 0, 0x7FFF0000), (0x20, 0, 0, 0)]
    for place, number in enumerate(numbers):
        lines.append((0x15, len(numbers) - place, 0, number))
    lines += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x7FF00000)]
    return ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines)), len(lines)


class Call:
    """One call that is about to be made: its name, its arguments, the path it is about (or what the descriptor is)."""

    def __init__(self, process, thread):
        self.process, self.thread = process, thread
        words = (ctypes.c_ulong * 27)()
        _ptrace(_GETREGS, thread, 0, ctypes.addressof(words))
        self.name = NAMES[words[_ORIG_RAX]]
        self.arguments = [words[place] for place in _ARGUMENTS]
        self.path = self._path()

    def _path(self):
        if self.name not in OF_A_PATH:
            return self._opened(self.arguments[4 if self.name == "mmap" else 0])
        place = OF_A_PATH[self.name]
        path = self._text(self.arguments[place])
        if path.startswith("/") or place == 0:
            return path
        return os.path.join(self._opened(self.arguments[0]), path).rstrip("/")

    def _opened(self, descriptor):
        number = ctypes.c_int(descriptor).value
        try:
            return os.readlink(f"/proc/{self.process}/fd/{number}") if number >= 0 else ""
        except OSError:
            return ""

    def _text(self, address):
        try:
            with open(f"/proc/{self.process}/mem", "rb", buffering=0) as memory:
                memory.seek(address)
                return memory.read(512).split(b"\0")[0].decode(errors="replace")
        except OSError:
            return ""

    @property
    def makes_a_file(self):
        return self.name == "openat" and bool(self.arguments[2] & os.O_CREAT)

    def fail(self, error):
        """The call is not made; the program sees this errno."""
        self._poke(_ORIG_RAX, -1)
        self._poke(_RAX, -error)

    def shorten(self, count):
        """The call is made, with so many bytes."""
        self._poke(_ARGUMENTS[2], count)

    def _poke(self, place, value):
        _ptrace(_POKEUSER, self.thread, place * 8, value & 0xFFFF_FFFF_FFFF_FFFF)


class Run:
    """`at(call)` is asked at each traced call of the command's own process; it may answer "kill", or "kill after"."""

    def __init__(self, command, calls, at, seconds=30, output=os.devnull):
        self.at, self.seconds, self.killed, self.root, self.code, self.is_counting = at, seconds, False, None, None, False
        self.leaders, self.ending, self.left_running, self.hung = {}, None, 0, False
        self._start(command, calls, output)
        before = signal.signal(signal.SIGALRM, self._late)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            self._follow()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _start(self, command, calls, output):
        program, length = _filter([NUMBERS[name] for name in calls])
        wait_end, go_end = os.pipe()
        self.root = os.fork()
        if self.root == 0:
            try:
                os.setsid()
                os.close(go_end)
                os.read(wait_end, 1)
                to = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                nothing = os.open(os.devnull, os.O_RDONLY)
                for target, source in ((0, nothing), (1, to), (2, to)):
                    os.dup2(source, target)
                for number in (signal.SIGPIPE, signal.SIGXFSZ):
                    signal.signal(number, signal.SIG_DFL)
                fprog = struct.pack("HxxxxxxP", length, ctypes.addressof(program))
                _libc.prctl(38, 1, 0, 0, 0)
                if _libc.prctl(22, 2, ctypes.c_char_p(fprog), 0, 0) != 0:
                    os._exit(126)
                os.execvp(command[0], command)
            finally:
                os._exit(127)
        os.close(wait_end)
        _ptrace(_SEIZE, self.root, 0, _OPTIONS)
        os.write(go_end, b"g")
        os.close(go_end)

    def _late(self, *_):
        """It hangs: all of it is killed, and that is said."""
        self.hung = self.hung or self.code is None
        self.left_running = sum(1 for leader in set(self.leaders.values()) if leader != self.root)
        for leader in {self.root, *self.leaders.values()}:
            self._kill(leader)

    @staticmethod
    def _kill(process):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _follow(self):
        """Until nothing is left of it, and of what it has started."""
        while True:
            try:
                thread, status = os.waitpid(-1, _ALL)
            except ChildProcessError:
                return
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                self.leaders.pop(thread, None)
                if thread == self.root:
                    self.code = os.waitstatus_to_exitcode(status)
                    # Whoever outlives it has little time left.
                    signal.setitimer(signal.ITIMER_REAL, max(10, self.seconds / 3))
                continue
            try:
                self._stopped(thread, status)
            except OSError:
                pass  # It was killed meanwhile.

    def _stopped(self, thread, status):
        event, number = status >> 16, status >> 8 & 0xFF
        if thread not in self.leaders:
            self.leaders[thread] = self._leader(thread)
        if event == _EXEC_STOP and thread == self.root:
            self.is_counting = True
        deliver, go_on = 0, _CONT
        if event == _SECCOMP_STOP:
            go_on = self._called(thread)
        elif event == 0 and number == signal.SIGTRAP and thread == self.ending:
            self._kill(self.root)  # The call has been made.
        elif event == 0:
            deliver = number
        _ptrace(go_on, thread, 0, deliver)

    def _called(self, thread):
        if self.leaders[thread] != self.root or not self.is_counting or self.killed:
            return _CONT
        answer = self.at(Call(self.root, thread))
        if answer == "kill":
            self.killed = True
            self._kill(self.root)
        elif answer == "kill after":
            self.killed, self.ending = True, thread
            return _SYSCALL
        return _CONT

    @staticmethod
    def _leader(thread):
        with open(f"/proc/{thread}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Tgid:"))
