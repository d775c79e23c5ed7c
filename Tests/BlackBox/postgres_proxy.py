"""A proxy before PostgreSQL that loses answers: it looks for COMMIT in what the client says, and then, by chance, cuts the
connection before the server hears it, or after the server has done it; or before, and the server hears it all the same, when
the client has long begun to ask what became of it."""
import random, select, socket, threading, time

COMMIT = b"COMMIT\0"


class Listener:
    """Takes connections at `port` and gives each to `carry`, in a thread of its own."""

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()


class Proxy(Listener):
    def __init__(self, host, port, seed, before=0.25, after=0.25, late=0, lost=(), at_commit=None):
        """`before`, `after` and `late`: how likely each is; `lost`: the COMMITs, from 1, whose answer is lost whatever the dice
        say; `at_commit` is called with the number of each COMMIT, before the server hears it."""
        self.server, self.chance, self.before, self.after = (host, port), random.Random(seed), before, after
        self.cut_before = self.cut_after = self.cut_late = self.commits = 0
        self.late, self.lost, self.at_commit = late, lost, at_commit or (lambda number: None)
        self.listen()

    def carry(self, client):
        server = socket.create_connection(self.server)
        with client, server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    try:
                        data = ready.recv(1 << 16)
                    except OSError:
                        return
                    if not data:
                        return
                    if ready is server:
                        client.sendall(data)
                        continue
                    # replay's COMMIT is a message of its own.
                    luck = 1
                    if data.endswith(COMMIT):
                        self.commits += 1
                        self.at_commit(self.commits)
                        luck = self.before if self.commits in self.lost else self.chance.random()
                    if luck < self.before:
                        self.cut_before += 1
                        return
                    is_late = luck > self.before + self.after and luck < self.before + self.after + self.late
                    if is_late:
                        client.close()
                        time.sleep(self.chance.uniform(0, 0.2))
                    server.sendall(data)
                    if is_late:
                        self.cut_late += b"COMMIT" in server.recv(1 << 16)
                        return
                    if luck < self.before + self.after:
                        answer = server.recv(1 << 16)
                        self.cut_after += b"COMMIT" in answer
                        return
