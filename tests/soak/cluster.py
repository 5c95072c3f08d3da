"""Three Kafka brokers (KRaft, replication factor 3, at least 2 in sync) that can be killed one by one."""

import random
import signal
import socket
import struct
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from network import Network

HERE = Path(__file__).resolve().parent
JAVA = ["java", "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData"]
START_S = 90

PROPERTIES = """
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=12
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=12
group.initial.rebalance.delay.ms=0
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=8388608
num.network.threads=2
num.io.threads=4
"""


def free_port():
    """Below the range that the system hands out to clients, and below that of tests/support/servers.sh."""
    while True:
        port = random.randrange(10000, 20000)
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) != 0:
                return port


def wait_until(condition, seconds, what):
    """Wait for what a test needs; what does not come in time is the test's failure."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {seconds} s")


class Broker:
    def __init__(self, cluster, number):
        self.number = number
        self.host = cluster.network.address(number) if cluster.network else "127.0.0.1"
        self.space = cluster.network.space(number) if cluster.network else None
        self.port = free_port()
        self.controller = free_port()
        self.dir = cluster.dir / f"broker{number}"
        self.dir.mkdir(parents=True)
        self.jars = cluster.jars
        self.process = None

    def configure(self, cluster_id, voters):
        (self.dir / "server.properties").write_text(
            PROPERTIES + f"node.id={self.number}\ncontroller.quorum.voters={voters}\n"
            f"listeners=PLAINTEXT://{self.host}:{self.port},CONTROLLER://{self.host}:{self.controller}\n"
            f"advertised.listeners=PLAINTEXT://{self.host}:{self.port}\n"
            f"log.dirs={self.dir}/log\n")
        format_ = self.java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c",
                            str(self.dir / "server.properties"), log="format.log")
        if format_.wait(timeout=START_S) != 0:
            raise RuntimeError(f"broker {self.number}:\n{self.said('format.log')}")

    def java(self, *arguments, log):
        inside = ["ip", "netns", "exec", self.space] if self.space else []
        log4j = HERE.parent / "support" / "kafka" / "log4j.properties"
        with open(self.dir / log, "ab") as out:
            return subprocess.Popen(
                [*inside, *JAVA, f"-Djava.io.tmpdir={self.dir}", f"-Dlog4j.configuration=file:{log4j}",
                 "-cp", f"{self.jars}/*", *arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    def start(self):
        self.process = self.java("kafka.Kafka", str(self.dir / "server.properties"), log="server.log")

    def said(self, log="server.log"):
        return (self.dir / log).read_text(errors="replace")[-3000:]

    def starts(self):
        """How often it has come up."""
        return (self.dir / "server.log").read_bytes().count(b"Kafka Server started")

    def wait_for_start(self, number):
        """Until it has come up that many times; one that ends, or does not, says why."""
        end = time.monotonic() + START_S
        while self.starts() < number:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"broker {self.number} did not start:\n{self.said()}")
            time.sleep(0.1)

    def signal(self, number):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


class Cluster:
    """With two replicas in sync only one broker may be away at a time."""

    def __init__(self, directory, jars):
        self.dir = Path(directory)
        self.jars = jars
        network = Network()
        self.network = network if network.open() else None
        self.brokers = [Broker(self, n) for n in (1, 2, 3)]
        self.bootstrap = ",".join(f"{b.host}:{b.port}" for b in self.brokers)

    def start(self):
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        voters = ",".join(f"{b.number}@{b.host}:{b.controller}" for b in self.brokers)
        for broker in self.brokers:
            broker.configure(cluster_id, voters)
        for broker in self.brokers:
            broker.start()
        for broker in self.brokers:
            broker.wait_for_start(1)

    def restart(self, broker):
        """Start a dead broker and wait until it leads again, so that the next one may go."""
        started = broker.starts()
        broker.start()
        broker.wait_for_start(started + 1)
        time.sleep(3)  # followers catch up; the brokers would refuse writes until they have

    def coordinator(self, key, transaction):
        """The broker that coordinates a consumer group, or a transactional id: FindCoordinator v1."""
        for asked in self.brokers:
            try:
                answer = find_coordinator(asked, key, transaction)
            except OSError:
                continue
            for broker in self.brokers:
                if broker.number == answer:
                    return broker
        return self.brokers[0]

    def cut_off(self, broker):
        """It neither answers nor closes its connections."""
        if self.network:
            self.network.cut(broker.number)
        else:
            broker.signal(signal.SIGSTOP)

    def join(self, broker):
        if self.network:
            self.network.join(broker.number)
        else:
            broker.signal(signal.SIGCONT)

    def stop(self):
        for broker in self.brokers:
            broker.kill()
        if self.network:
            self.network.close()


def text(words):
    raw = words.encode()
    return struct.pack(">h", len(raw)) + raw


def ask(host, port, body):
    with socket.create_connection((host, port), 5) as s:
        s.settimeout(5)
        s.sendall(struct.pack(">i", len(body)) + body)
        size = struct.unpack(">i", receive(s, 4))[0]
        return receive(s, size)


def knows_topic(host, port, topic):
    """Whether a broker has heard of a topic and all its leaders: Metadata v1."""
    answer = ask(host, port, struct.pack(">hhihi", 3, 1, 7, -1, 1) + text(topic))
    at = 4

    def number(kind, size):
        nonlocal at
        at += size
        return struct.unpack(kind, answer[at - size:at])[0]

    def skip(bytes_):
        nonlocal at
        at += bytes_

    def skip_text():
        skip(max(number(">h", 2), 0))

    for _ in range(number(">i", 4)):  # brokers: id, host, port, rack
        number(">i", 4)
        skip_text()
        number(">i", 4)
        skip_text()
    number(">i", 4)  # controller
    number(">i", 4)  # topics: one
    if number(">h", 2) != 0:
        return False
    skip_text()
    number(">b", 1)
    for _ in range(number(">i", 4)):  # partitions: error, id, leader, replicas, in sync
        error, _, leader = number(">h", 2), number(">i", 4), number(">i", 4)
        skip(4 * number(">i", 4))
        skip(4 * number(">i", 4))
        if error != 0 or leader < 0:
            return False
    return True


def find_coordinator(broker, key, transaction):
    answer = ask(broker.host, broker.port, struct.pack(">hhih", 10, 1, 7, -1) + text(key)
                 + struct.pack(">b", 1 if transaction else 0))
    # correlation id, throttle time, error code, error message, node id
    message = struct.unpack(">h", answer[10:12])[0]
    at = 12 + max(message, 0)
    return struct.unpack(">i", answer[at:at + 4])[0]


def receive(s, size):
    data = b""
    while len(data) < size:
        more = s.recv(size - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data
