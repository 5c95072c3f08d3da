#!/usr/bin/python3
"""Take each of weir's safeguards away, one at a time, and see that the harness finds a difference.

    tests/soak/mutations.py [--seed S] [--only NAME] [--jars DIR]

A copy of the sources is changed in one place, built, and disturbed by the faults that the safeguard is
there for, for at most five minutes. Prints which seed found which, and ends with 1 if one was not.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FIND_S = 300

# name, file, what it says, what the mutant says, faults
MUTATIONS = [
    ("the transaction", "engine/kafka.c",
     "k->transactional = options->produces && options->config->delivery == DELIVERY_EXACTLY_ONCE;",
     "k->transactional = false;",
     ["kill at combine.offsets", "kill at aggregate.offsets"]),
    ("the clock in the offset metadata", "engine/sources.c",
     "source_clock_read(&source->clock, &partitions, bytes_of(from->metadata))",
     'source_clock_read(&source->clock, &partitions, bytes_of(""))',
     ["combine's transaction aborted", "kill at combine.committed"]),
    ("the silent re-run", "engine/aggregate_stage.c",
     "shard->records.silent = record->offset < shard->silent_until;",
     "shard->records.silent = false;",
     ["kill at random", "kill at aggregate.committed"]),
    ("the sink's offset check", "sinks/redis_script.c",
     "if applied ~= prev then return applied end",
     "if applied == '-2' then return applied end",
     ["Redis killed, back with older data", "Redis emptied", "zombie"]),
    ("the rewind after an abort", "engine/stage_recover.c",
     "kafka_rewind(*kafka);",
     "(void)0;",
     ["combine's transaction aborted"]),
]


def mutant(directory, path, right, wrong):
    shutil.copytree(ROOT, directory, ignore=shutil.ignore_patterns("build", ".git"))
    source = directory / path
    text = source.read_text()
    if text.count(right) != 1:
        raise SystemExit(f"{path} says {text.count(right)} times, not once: {right}")
    source.write_text(text.replace(right, wrong))
    build = directory / "build"
    for command in (["cmake", "-S", str(directory), "-B", str(build), "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                     "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O2 -g -Wno-error", "-DWEIR_BENCH=OFF",
                     "-DWEIR_FAILPOINTS=ON"],
                    ["cmake", "--build", str(build), "-j2", "--target", "weir", "weir_oracle"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return build


def find(build, kinds, options):
    """The seed of the first round that differs, and after how many seconds; None: none did."""
    words = [sys.executable, str(ROOT / "tests/soak/soak.py"), str(build), "--minutes",
             str(FIND_S / 60), "--seed", str(options.seed), "--jars", options.jars, "--first",
             "--lanes", "3"]
    for kind in kinds:
        words += ["--kind", kind]
    begin = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=FIND_S + 600)
    found = re.search(r"\d+ (.*): DIFFERENCE, seed (\d+)", done.stdout)
    if found is None:
        print(done.stdout[-1500:] + done.stderr[-1500:])
        return None
    says = (re.search(r"^(differs|missing|unexpected|Redis (differs|lacks|alone)|stuck).*$", done.stdout, re.M)
            or re.search(r"^oracle: .* repeated$", done.stdout, re.M))
    told = says.group(0).replace("\t", " ").replace("|", "/") if says else ""
    return found.group(1), found.group(2), time.monotonic() - begin, told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="a mutation's name")
    parser.add_argument("--jars", default=os.environ.get("WEIR_KAFKA_JARS", str(ROOT / "build/kafka")))
    options = parser.parse_args()
    missed = 0
    print("| without | found by | seed | after s | first difference |\n| --- | --- | ---: | ---: | --- |")
    for name, path, right, wrong, kinds in MUTATIONS:
        if options.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory(prefix="weir-mutant.") as directory:
            found = find(mutant(Path(directory) / "weir", path, right, wrong), kinds, options)
        missed += found is None
        if found is None:
            print(f"| {name} | NOT FOUND | | | |", flush=True)
        else:
            print(f"| {name} | {found[0]} | {found[1]} | {found[2]:.0f} | {found[3][:120]} |", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
