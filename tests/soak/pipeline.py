"""One round: a known history in, workers that are disturbed, and the oracle's word on what came out."""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import store
from cluster import knows_topic, wait_until

ROUND_S = 240  # a run that is not over by then is stuck
ROWS_PARTITIONS = 4
STILL_S = 120  # where a difference is looked for, so is one whose rows do not move for that long
PLAN = ["pane=10s", "skew=5s", "allowed_lateness=5m", "windows=[1m, 5m, 1h]",
        "quantiles=[0.5, 0.95, 0.99]", "thresholds=[50ms, 250ms, 1s]",
        "rules=[{name: slow, when: p95 > 30ms, for: 20s}]",
        "start=earliest", f"partitions={ROWS_PARTITIONS}", "epoch=100ms", "snapshot=2s"]
# What a worker says of each partition when it leaves: when it looked last whether Redis held all of it.
LAST_LOOK = re.compile(rb'"all that was read is in the store" partition=(\d+) applied=-?\d+ looked_ms=(\d+)')
ORACLE_PLAN = ("--pane 10s --lateness 30s --skew 5s --allowed-lateness 5m --window 1m/10s --window 5m/30s "
               "--window 1h/5m --history 10s --history 1m --quantiles 50 --quantiles 95 --quantiles 99 "
               "--threshold 50ms --threshold 250ms --threshold 1s").split()


class Difference(Exception):
    """What came out is not what must come out."""


class Tools:
    """The programs under test, and where to write."""

    def __init__(self, build, work, brokers):
        self.weir = str(Path(build) / "weir")
        self.oracle_program = str(Path(build) / "tests" / "weir_oracle")
        self.work = Path(work)
        self.brokers = brokers

    def oracle(self, command, *options, text=None):
        done = subprocess.run([self.oracle_program, command, "--brokers", self.brokers, *options],
                              input=text, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def need(self, command, *options):
        code, said = self.oracle(command, *options)
        if code != 0:
            raise RuntimeError(f"weir_oracle {command}: {said}")
        return said

    def create(self, topic, partitions):
        """Brokers that were just away may not take it at once, and each hears of it by itself."""
        wait_until(lambda: self.oracle("create", "--topic", topic, "--partitions", partitions)[0] == 0, 60,
                   f"brokers that take topic {topic}")
        wait_until(lambda: all(self.is_known(place, topic) for place in self.brokers.split(",")), 30,
                   f"brokers that know topic {topic}")

    @staticmethod
    def is_known(place, topic):
        host, port = place.rsplit(":", 1)
        try:
            return knows_topic(host, int(port), topic)
        except OSError:
            return True  # a broker that is away is asked by nobody

    def generate(self, topic, partitions, *options, environment=None):
        """Spans into a topic, made where it is not there yet; its log is at the process' `log`."""
        self.create(topic, partitions)
        log = self.work / f"{topic}.{time.monotonic_ns()}.generate.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "wb") as out:
            process = subprocess.Popen(
                [self.weir, "generate", "--brokers", self.brokers, "--topic", topic, *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                env={**os.environ, **(environment or {})})
        process.log = log
        return process

    @staticmethod
    def made(process, seconds):
        """Wait for the end of generate: no round is judged by spans that were never sent."""
        if process.wait(timeout=seconds) != 0:
            raise RuntimeError(f"weir generate: {process.log.read_text(errors='replace')[-1000:]}")
        process.log.unlink()


class Worker:
    """A `weir run` that is started again when it dies, as a service manager would."""

    def __init__(self, round_, number, environment):
        self.round = round_
        self.number = number
        self.environment = environment
        self.process = None
        self.starts = 0
        self.failures = 0  # exits with a code of its own that is not 0
        self.peak_kb = 0
        self.finished = False  # reached the end
        self.leaving = False   # was asked to go, or is not to come back
        self.left = False
        self.log = round_.dir / f"worker{number}.log"
        self.start()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def start(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_")}
        if self.starts == 0:
            environment.update(self.environment)
        else:  # what strikes once does not strike again
            environment.update({k: v for k, v in self.environment.items() if k != "WEIR_FAILPOINT"})
        self.starts += 1
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(self.round.command(self.number), env=environment,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True)

    def watch(self):
        while not self.round.over:
            code = self.process.poll()
            if code is None:
                self.measure()
                time.sleep(0.05)
                continue
            if code == 0 or self.leaving:
                self.finished = code == 0 and not self.leaving
                self.left = True
                return
            self.failures += code > 0
            time.sleep(0.3)
            if not self.round.over:
                self.start()

    def measure(self):
        try:
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.peak_kb = max(self.peak_kb, int(line.split()[1]))
        except (OSError, ValueError):
            pass

    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def leave(self):
        """Asked to go, like one of a smaller deployment; it is not started again."""
        self.leaving = True
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)

    def kill(self):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self.process.wait()


class Round:
    live = False
    still_s = ROUND_S

    def __init__(self, tools, cluster, redis, rng, name, history):
        self.tools, self.cluster, self.redis, self.rng, self.name = tools, cluster, redis, rng, name
        self.topic = history
        self.url = redis.url
        self.dir = tools.work / name
        self.dir.mkdir(parents=True)
        self.workers = []
        self.over = False
        self.applied = {}
        self.changes = {}  # by partition of rows: when its place in Redis moved on
        self.strikes = []
        self.lost_ms = 0.0  # when Redis lost something, by the wall clock
        self.looked_again = False  # by one more worker, since that was after the last look of the others
        self.closers = []  # called at the end, for what a fault started
        self.threads = {}
        # Partitions that are far apart show what belongs to one of them and not to all.
        self.max_ahead = "1m" if self.live else rng.choice(["1m", "30m"])
        self.spans = 0

    # --- workers --------------------------------------------------------------------------------

    def settings(self):
        return [*PLAN, "time=records", "lateness=30s", f"max_ahead={self.max_ahead}"]

    def command(self, number):
        words = [self.tools.weir, "run", "--brokers", self.tools.brokers, "--topic", self.topic,
                 "--redis", self.url, "--name", self.name]
        sets = [f"redis.prefix={self.name}", "http.listen=", f"instance=w{number}",
                "redis.rows_retention=48h", *self.settings()]
        sets += [f"threads.{stage}={count}" for stage, count in self.threads.items()]
        if not self.live:
            words.append("--until-end")
        for setting in sets:
            words += ["--set", setting]
        return words

    def add_worker(self, environment=None):
        worker = Worker(self, len(self.workers) + 1, environment or {})
        self.workers.append(worker)
        return worker

    def start(self, environments=({}, {})):
        for environment in environments:
            self.add_worker(environment)
        threading.Thread(target=self.watch_progress, daemon=True).start()

    def working(self):
        return [w for w in self.workers if not w.finished and not w.leaving]

    # --- progress -------------------------------------------------------------------------------

    def watch_progress(self):
        while not self.over:
            try:
                held = store.call(self.redis.port, "HGETALL", f"{self.name}:applied", timeout=1)
                now = {k: int(v) for k, v in zip(held[::2], held[1::2]) if k.isdigit()}
                for partition, offset in now.items():
                    if offset > self.applied.get(partition, -1):
                        self.changes.setdefault(partition, []).append(time.monotonic())
                self.applied = now
            except (OSError, store.RedisError, ValueError):
                pass
            time.sleep(0.1)

    def wait_for_rows(self, least=1):
        """Until something is in Redis, so that a fault strikes in the middle of work."""
        end = time.monotonic() + 90
        while sum(self.applied.values()) < least and self.working() and time.monotonic() < end:
            time.sleep(0.05)

    def struck(self):
        """A fault is there: what it holds up is read off the rows afterwards."""
        self.strikes.append(time.monotonic())

    def lost(self):
        """Redis has lost something of what it held: to be told as soon as it is so."""
        self.lost_ms = time.time() * 1000

    def looks(self):
        """When workers that left looked for the last time whether all was there, by partition of rows."""
        last = {}
        for worker in self.workers:
            for partition, looked_ms in LAST_LOOK.findall(worker.log.read_bytes()):
                last[int(partition)] = max(last.get(int(partition), 0), int(looked_ms))
        return last

    def standstills(self):
        """For each fault, the longest that any partition of rows stood still in the 40 s after it."""
        longest = []
        for at in self.strikes:
            gaps = [0.0]
            for times in self.changes.values():
                gaps += [later - max(sooner, at) for sooner, later in zip(times, times[1:])
                         if later > at and sooner < at + 40]
            longest.append(max(gaps))
        return longest

    # --- the end --------------------------------------------------------------------------------

    def wait_for_end(self):
        self.wait_for_workers()
        looks = self.looks()
        if self.lost_ms and any(looks.get(p, 0) <= self.lost_ms for p in range(ROWS_PARTITIONS)):
            self.looked_again = True
            self.add_worker()  # what was lost when the others had looked is for the next to fill
            self.wait_for_workers()

    def wait_for_workers(self):
        begin = time.monotonic()
        while self.working():
            now = time.monotonic()
            moved = max([begin, *(times[-1] for times in list(self.changes.values()))])
            if now > begin + ROUND_S:
                raise Difference(f"stuck: {len(self.working())} workers not done after {ROUND_S} s")
            if now > moved + self.still_s:
                raise Difference(f"stuck: no partition of rows moved for {self.still_s} s")
            time.sleep(0.1)
        if not any(w.finished for w in self.workers):
            raise Difference("no worker reached the end")

    def check(self):
        code, said = self.tools.oracle("rows", "--topic", self.topic, "--rows-topic",
                                       f"{self.name}.rows", *ORACLE_PLAN)
        if code != 0 or not said.rstrip().endswith(" 0 repeated"):
            raise Difference(f"rows against the oracle:\n{said[-3000:]}")
        self.spans = int(said.split(" malformed, ")[1].split()[0])
        self.check_redis()

    def check_redis(self):
        lines = "\n".join(store.shown_lines(self.redis.port, self.name)) + "\n"
        code, said = self.tools.oracle("shown", "--rows-topic", f"{self.name}.rows", text=lines)
        if code != 0:
            raise Difference(f"Redis against the rows topic:\n{said[-3000:]}")

    def stop(self):
        self.over = True
        for worker in self.workers:
            worker.kill()

    def close(self):
        self.stop()
        for closer in self.closers:
            closer()
        for topic in ("partials", "rows", "state"):
            self.tools.oracle("delete", "--topic", f"{self.name}.{topic}")

    def peak_mb(self):
        return max((w.peak_kb for w in self.workers), default=0) / 1024

    def failures(self):
        return sum(w.failures for w in self.workers)


class LiveRound(Round):
    """Spans as they come: what was late depends on clocks, what is counted in the end does not."""

    live = True

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.until_ms = None  # panes up to then are compared; 0: only what each series adds up to
        self.sources = []

    def settings(self):
        return [*PLAN, "time=live", "lateness=5s", f"max_ahead={self.max_ahead}"]

    def feed(self, partitions, *options, environment=None):
        self.sources.append(self.tools.generate(self.topic, partitions, "--seed",
                                                str(self.rng.randrange(1 << 30)), *options,
                                                environment=environment))

    def wait_for_end(self):
        for source in self.sources:
            self.tools.made(source, ROUND_S)
        end = time.monotonic() + ROUND_S
        quiet_ms = time.time() * 1000 + 30000  # and stays so, when all clocks have passed the last span
        if self.until_ms is None:
            self.until_ms = int(time.time() * 1000) + 10000
        while True:
            code, said = self.compare()
            if code == 0 and time.time() * 1000 > quiet_ms:
                return
            if time.monotonic() > end:
                raise Difference(f"last rows of panes against all spans:\n{said[-3000:]}")
            time.sleep(1)

    def compare(self):
        return self.tools.oracle("live", "--topic", self.topic, "--rows-topic", f"{self.name}.rows",
                                 "--to", str(self.until_ms), *ORACLE_PLAN)

    def check(self):
        for worker in self.workers:
            worker.leave()
        for worker in self.workers:
            worker.thread.join(timeout=30)
        code, said = self.compare()
        if code != 0:
            raise Difference(f"last rows of panes against all spans:\n{said[-3000:]}")
        self.spans = int(said.split("live: ")[1].split()[0])

    def stop(self):
        for source in self.sources:
            if source.poll() is None:
                source.kill()
        super().stop()

    def close(self):
        super().close()
        self.tools.oracle("delete", "--topic", self.topic)
