#!/usr/bin/python3
"""Disturb weir in every way there is, and compare each final row with the oracle.

    tests/soak/soak.py BUILD [--minutes N | --rounds N] [--seed S] [--kind NAME ...]

Real brokers (three, of which one may die), a real Redis for each lane, several rounds side by side.
Each round has a seed, which decides its faults; a difference is told with the line that repeats it.
Ends with a table by kind of fault, and with 1 if there was any difference.
"""

import argparse
import collections
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import store
from cluster import Cluster
from faults import KINDS
from pipeline import STILL_S, Difference, LiveRound, Round, Tools

HISTORIES = [  # what batch rounds read; made once
    ["--since", "15m", "--late", "3%", "--out-of-order", "5%", "--rate", "0.5"],
    ["--since", "15m", "--late", "5%", "--skewed", "3%", "--rate", "0.4"],
    ["--since", "25m", "--out-of-order", "10%", "--bad-ids", "1%", "--rate", "0.2"],
]
ATTEMPTS = 4  # at one round, while the fault comes when it is already over
SHORT = ["kill at combine.offsets", "kill at aggregate.sent", "kill at snapshot.manifest",
         "kill at sink.applied", "zombie", "rebalance storm", "a broker dies",
         "Redis killed, back with older data", "a worker's clock is a minute fast"]


class Soak:
    def __init__(self, options):
        self.options = options
        self.dir = Path(tempfile.mkdtemp(prefix="weir-soak."))
        self.cluster = Cluster(self.dir / "kafka", options.jars)
        self.tools = Tools(options.build, self.dir / "rounds", self.cluster.bootstrap)
        self.lock = threading.Lock()
        self.redises = []
        self.active = set()  # rounds
        self.stopping = False
        self.next = 0
        self.results = []
        self.memory = []  # peak of the workers by round, in order of time
        self.begin = time.monotonic()

    def prepare(self):
        self.cluster.start()
        for number, options in enumerate(HISTORIES):
            topic = f"history{number}"
            self.tools.made(self.tools.generate(topic, "6", "--no-live", "--seed",
                                                str(self.options.seed + number), *options), 120)

    # --- rounds ---------------------------------------------------------------------------------

    def numbers(self, count):
        """The numbers of the next rounds; fewer or none when it is enough."""
        with self.lock:
            limit = self.options.rounds
            left = count if limit is None else min(count, limit - self.next)
            late = limit is None and time.monotonic() - self.begin > self.options.minutes * 60
            found = self.options.first and any(r[1] is not None for r in self.results)
            if late or found:
                left = 0
            self.next += left
            return list(range(self.next - left, self.next))

    def round(self, what, number, redis):
        rng = random.Random(self.seed(number))
        name = f"round{number}"
        if what.live:
            return LiveRound(self.tools, self.cluster, redis, rng, name, f"{name}-spans")
        history = f"history{rng.randrange(len(HISTORIES))}"
        return Round(self.tools, self.cluster, redis, rng, name, history)

    def seed(self, number):
        return self.options.seed * 1000 + number

    def attempt(self, what, number, redis, strike):
        """One round of a lane: disturb it, wait for its end, compare. False: the fault came too late."""
        round_ = self.round(what, number, redis)
        if self.options.first:
            round_.still_s = STILL_S
        self.active.add(round_)
        difference, begin = None, time.monotonic()
        try:
            strike(round_)
            round_.wait_for_end()
            round_.check()
        except Difference as why:
            difference = str(why)
        except Exception:  # the harness itself: told like a difference, or it would pass for success
            difference = traceback.format_exc()
        finally:
            round_.close()
            self.active.discard(round_)
            if not self.stopping:
                self.recover(redis)
        if difference is None and not round_.strikes:
            print(f"     {what.name}: over before the fault came, not counted; seed {self.seed(number)}",
                  flush=True)
            shutil.rmtree(round_.dir, ignore_errors=True)
            return False
        self.note(what, round_, self.seed(number), difference, time.monotonic() - begin)
        return True

    def each_its_own(self, kinds):
        """Lanes take one kind after the other, each disturbing only itself."""
        left = sorted(kinds, key=lambda k: not k.slow)

        def lane(redis):
            while True:
                with self.lock:
                    what = left.pop(0) if left else None
                if what is None:
                    return
                for _ in range(ATTEMPTS):
                    numbers = self.numbers(1)
                    if not numbers:
                        return
                    if self.attempt(what, numbers[0], redis, what.strike):
                        break

        self.lanes(lane, self.redises)

    def all_at_once(self, what):
        """A fault to the brokers strikes every lane, each with a round of its own."""
        numbers = self.numbers(len(self.redises))
        if not numbers:
            return
        rounds, ready, over = {}, threading.Barrier(len(numbers) + 1), threading.Event()

        def begin(round_):
            try:
                what.begin(round_)
                rounds[round_.name] = round_
            finally:
                ready.wait(timeout=200)
            if what.meanwhile is not None:
                what.meanwhile(round_)
            over.wait(timeout=200)

        def strike():
            try:
                ready.wait(timeout=200)
                if rounds:
                    what.strike(self.cluster, list(rounds.values()), random.Random(self.seed(numbers[0])))
            finally:
                over.set()

        breaker = threading.Thread(target=strike, daemon=True)
        breaker.start()
        self.lanes(lambda job: self.attempt(what, job[0], job[1], begin),
                   list(zip(numbers, self.redises)))
        breaker.join()

    @staticmethod
    def lanes(run, jobs):
        threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def go(self):
        """Pass after pass: every kind that lanes can have for themselves, then two that they share."""
        for number in range(self.options.lanes):
            redis = store.Redis(self.dir / f"redis{number}")
            self.redises.append(redis)
            redis.start()
        wanted = [KINDS[name] for name in self.options.kind or KINDS]
        own = [k for k in wanted if not k.shared]
        shared = [k for k in wanted if k.shared]
        order = random.Random(self.options.seed)
        while True:
            before = self.next
            order.shuffle(own)
            self.each_its_own(own)
            for what in shared[:2]:
                self.all_at_once(what)
            shared = shared[2:] + shared[:2]
            if self.next == before:
                return

    @staticmethod
    def recover(redis):
        """The lane's Redis as it was, whatever the round did to it."""
        if not redis.answers():
            redis.kill()
            redis.start()
        redis.call("REPLICAOF", "NO", "ONE")
        redis.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        redis.call("CONFIG", "SET", "maxmemory", "0")
        redis.call("FLUSHALL")

    def note(self, what, round_, seed, difference, seconds):
        with self.lock:
            self.results.append((what.name, difference, round_.spans, round_.standstills(),
                                 round_.peak_mb(), seconds, round_.failures()))
            self.memory.append(round_.peak_mb())
            done = "ok" if difference is None else "DIFFERENCE"
            starts = sum(w.starts for w in round_.workers)
            print(f"{len(self.results):4} {what.name}: {done}, seed {seed}, {seconds:.0f} s, "
                  f"{starts} starts, {round_.peak_mb():.0f} MB"
                  + (f", {round_.failures()} left with an error" if round_.failures() else "")
                  + (", Redis lost something after the last look" if round_.looked_again else ""), flush=True)
            for worker in round_.workers:
                for line in worker.log.read_text(errors="replace").splitlines():
                    if line.startswith("weir run: "):
                        print(f"     {worker.log.name} ended: {line[:300]}", flush=True)
            if difference is None:
                shutil.rmtree(round_.dir, ignore_errors=True)
                return
            print(difference)
            for worker in round_.workers:
                print(f"--- end of {worker.log.name}")
                print("\n".join(worker.log.read_text(errors="replace").splitlines()[-25:]))
            print(f"again: tests/soak/soak.py {self.options.build} --repeat {seed} "
                  f"--kind {what.name!r}", flush=True)

    def table(self):
        by_kind = collections.defaultdict(list)
        for result in self.results:
            by_kind[result[0]].append(result)
        lines = ["| fault | rounds | differences | spans | standstill median s | worst s | peak MB |",
                 "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
        for name in KINDS:
            rows = by_kind.get(name)
            if not rows:
                continue
            standstills = [r for row in rows for r in row[3]]
            median = f"{statistics.median(standstills):.1f}" if standstills else "-"
            worst = f"{max(standstills):.1f}" if standstills else "-"
            lines.append(f"| {name} | {len(rows)} | {sum(r[1] is not None for r in rows)} | "
                         f"{sum(r[2] for r in rows)} | {median} | {worst} | "
                         f"{max(r[4] for r in rows):.0f} |")
        total = self.results
        lines.append(f"| all | {len(total)} | {sum(r[1] is not None for r in total)} | "
                     f"{sum(r[2] for r in total)} | | | {max((r[4] for r in total), default=0):.0f} |")
        quarter = max(1, len(self.memory) // 4)
        first, last = self.memory[:quarter], self.memory[-quarter:]
        if self.memory:
            lines.append("")
            lines.append(f"Peak of a worker, median over rounds: first quarter "
                         f"{statistics.median(first):.0f} MB, last quarter {statistics.median(last):.0f} MB. "
                         f"{time.monotonic() - self.begin:.0f} s, seed {self.options.seed}.")
        return "\n".join(lines)

    def close(self):
        self.stopping = True  # lanes are threads that may still be at work
        for round_ in list(self.active):
            round_.stop()
        for redis in self.redises:
            redis.kill()
        self.cluster.stop()
        failed = any(r[1] is not None for r in self.results)
        if not failed or not self.options.keep:
            shutil.rmtree(self.dir, ignore_errors=True)


def options_read():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="a build folder with failpoints: build/test")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100000)
    parser.add_argument("--kind", action="append", choices=list(KINDS), metavar="NAME")
    parser.add_argument("--short", action="store_true", help="one round each of a few kinds")
    parser.add_argument("--lanes", type=int, default=6, help="rounds side by side")
    parser.add_argument("--first", action="store_true", help="begin no more rounds after a difference")
    parser.add_argument("--keep", action="store_true", help="leave the files of a run with differences")
    parser.add_argument("--repeat", type=int, metavar="SEED", help="the seed of a round that differed")
    parser.add_argument("--jars", default=os.environ.get("WEIR_KAFKA_JARS", "build/kafka"))
    parser.add_argument("--table", help="write the table to this file too")
    options = parser.parse_args()
    if options.short:  # one pass
        options.kind = options.kind or SHORT
        options.lanes = 3
        shared = sum(KINDS[k].shared for k in options.kind)
        options.rounds = options.rounds or len(options.kind) - shared + shared * options.lanes
    return options


def main():
    options = options_read()
    soak = Soak(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.repeat is not None:
        options.seed, soak.next = divmod(options.repeat, 1000)
        options.rounds = soak.next + (options.rounds or 1)
        options.lanes = 1
    try:
        soak.prepare()
        soak.go()
    finally:  # also when it is interrupted
        table = soak.table()
        print(table, flush=True)
        if options.table:
            Path(options.table).write_text(table + "\n")
        soak.close()
    return 1 if not soak.results or any(r[1] is not None for r in soak.results) else 0


if __name__ == "__main__":
    sys.exit(main())
