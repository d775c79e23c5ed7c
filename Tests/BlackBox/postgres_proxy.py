"""A proxy before PostgreSQL that loses answers: it looks for COMMIT in what the client says, and then, by chance, cuts the
connection before the server hears it, or after the server has done it."""
import random, select, socket, threading

COMMIT = b"COMMIT\0"


class Proxy:
    def __init__(self, host, port, seed, before=0.25, after=0.25, lost=()):
        """`before` and `after`: how likely each is; `lost`: the COMMITs, from 1, whose answer is lost whatever the dice say."""
        self.server, self.chance, self.before, self.after = (host, port), random.Random(seed), before, after
        self.cut_before = self.cut_after = self.commits = 0
        self.lost = lost
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
                    luck = self.chance.random() if data.endswith(COMMIT) else 1
                    self.commits += data.endswith(COMMIT)
                    if data.endswith(COMMIT) and self.commits in self.lost:
                        luck = self.before
                    if luck < self.before:
                        self.cut_before += 1
                        return
                    server.sendall(data)
                    if luck < self.before + self.after:
                        answer = server.recv(1 << 16)
                        self.cut_after += b"COMMIT" in answer
                        return
