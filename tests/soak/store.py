"""A Redis of a lane, its replica and its Sentinels, and the little of its protocol that tests need."""

import signal
import socket
import subprocess
import time
from pathlib import Path

from cluster import free_port, wait_until


class RedisError(Exception):
    pass


def call(port, *words, timeout=5):
    """One command; texts come back as text. Raises OSError when nobody answers."""
    data = b"*%d\r\n" % len(words)
    for word in words:
        raw = str(word).encode()
        data += b"$%d\r\n%s\r\n" % (len(raw), raw)
    with socket.create_connection(("127.0.0.1", port), timeout) as s:
        s.settimeout(timeout)
        s.sendall(data)
        with s.makefile("rb") as lines:
            return reply(lines)


def reply(lines):
    line = lines.readline()
    if not line:
        raise OSError("closed")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise RedisError(rest.decode())
    if kind == b"+":
        return rest.decode()
    if kind == b":":
        return int(rest)
    if kind == b"$":
        size = int(rest)
        if size < 0:
            return None
        text = lines.read(size + 2)[:-2]
        return text.decode("utf-8", "backslashreplace")
    if kind == b"*":
        return [reply(lines) for _ in range(int(rest))]
    raise RedisError(f"not a reply: {line!r}")


class Redis:
    def __init__(self, directory, *options):
        self.dir = Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.options = options
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self, *options):
        with open(self.dir / "redis.log", "ab") as out:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir",
                 str(self.dir), "--save", "", "--enable-debug-command", "yes", *self.options,
                 *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        wait_until(self.answers, 30, "redis-server")

    def answers(self):
        try:
            return self.call("PING") == "PONG"
        except (OSError, RedisError):
            return False

    def call(self, *words):
        return call(self.port, *words)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def signal(self, number):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


def shown_lines(port, prefix):
    """What Redis shows under a prefix, as `weir_oracle shown` reads it."""
    cursor = "0"
    while True:
        cursor, keys = call(port, "SCAN", cursor, "MATCH", f"{prefix}:*", "COUNT", "1000")
        for key in keys:
            yield from key_lines(port, key, key[len(prefix) + 1:])
        if cursor == "0":
            return


def key_lines(port, key, rest):
    if rest.startswith("now:"):
        head = f"now\t{rest[4:]}\t"
    elif rest.startswith("history:"):
        resolution, series_and_bucket = rest[8:].split(":", 1)
        head = f"history\t{series_and_bucket.rsplit(':', 1)[0]}\t{resolution} "
    else:
        return
    fields = call(port, "HGETALL", key)
    for field, value in zip(fields[::2], fields[1::2]):
        yield f"{head}{field}\t{value}"


class SentinelPair:
    """A primary, its replica and a Sentinel that fails over after a second."""

    MASTER = "weir-test"
    # A replica that begins anew gets all there is while more is written: it is not to be cut off for that.
    OPTIONS = ("--repl-diskless-sync-delay", "0", "--client-output-buffer-limit", "replica 0 0 0")

    def __init__(self, directory):
        self.dir = Path(directory)
        self.nodes = [Redis(self.dir / "a"), Redis(self.dir / "b")]
        self.sentinel = free_port()
        self.process = None

    @property
    def url(self):
        return f"sentinel://127.0.0.1:{self.sentinel}/{self.MASTER}"

    @property
    def port(self):
        """Of the primary, as Sentinel says."""
        return int(call(self.sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.MASTER)[1])

    @property
    def primary(self):
        return next(n for n in self.nodes if n.port == self.port)

    @property
    def replica(self):
        return next(n for n in self.nodes if n.port != self.port)

    def call(self, *words):
        return call(self.port, *words)

    def start(self):
        first, second = self.nodes
        first.start(*self.OPTIONS)
        second.start(*self.OPTIONS, "--replicaof", f"127.0.0.1 {first.port}")
        config = self.dir / "sentinel.conf"
        config.write_text(f"port {self.sentinel}\nbind 127.0.0.1\ndir {self.dir}\n"
                          f"sentinel monitor {self.MASTER} 127.0.0.1 {first.port} 1\n"
                          f"sentinel down-after-milliseconds {self.MASTER} 1000\n"
                          f"sentinel failover-timeout {self.MASTER} 3000\n")
        with open(self.dir / "sentinel.log", "ab") as out:
            self.process = subprocess.Popen(["redis-server", str(config), "--sentinel"],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True)
        wait_until(self.is_whole, 60, "Sentinel and a replica in step")

    def is_whole(self):
        try:
            replicas = call(self.sentinel, "SENTINEL", "REPLICAS", self.MASTER)
            link = self.replica.call("INFO", "replication")
            return len(replicas) > 0 and "master_link_status:up" in link
        except (OSError, RedisError, StopIteration):
            return False

    def fail_over(self, behind_s=0):
        """Kill the primary; its replica, behind by some seconds of writes, is promoted. Gives what mends it."""
        old, heir = self.primary, self.replica
        if behind_s:
            heir.signal(signal.SIGSTOP)
            time.sleep(behind_s)
        old.kill()
        heir.signal(signal.SIGCONT)

        def mend():
            wait_until(lambda: self.port == heir.port, 60, "a fail-over by Sentinel")
            old.start(*self.OPTIONS, "--replicaof", f"127.0.0.1 {heir.port}")
            wait_until(self.is_whole, 180, "a replica in step")
        return mend

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for node in self.nodes:
            node.kill()
