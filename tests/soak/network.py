"""Hosts of their own for the brokers: network namespaces on one bridge, each of which can be cut off."""

import os
import subprocess


def run(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)


class Network:
    """10.X.Y.0/24 with this machine at .1 and host n at .(n + 1); open() tells whether it may be had."""

    def __init__(self):
        self.tag = f"weir{os.getpid() % 100000}"
        self.prefix = f"10.{64 + os.getpid() % 64}.{os.getpid() // 64 % 256}"
        self.hosts = []

    def open(self):
        try:
            run("ip", "link", "add", self.tag, "type", "bridge")
            run("ip", "addr", "add", f"{self.prefix}.1/24", "dev", self.tag)
            run("ip", "link", "set", self.tag, "up")
            for number in (1, 2, 3):
                self.add(number)
            return True
        except (OSError, subprocess.SubprocessError):
            self.close()
            return False

    def space(self, number):
        return f"{self.tag}n{number}"

    def cable(self, number):
        return f"{self.tag}v{number}"

    def address(self, number):
        return f"{self.prefix}.{number + 1}"

    def add(self, number):
        space, cable = self.space(number), self.cable(number)
        run("ip", "netns", "add", space)
        self.hosts.append(number)
        run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "link", "set", cable, "master", self.tag)
        run("ip", "link", "set", cable, "up")
        run("ip", "-n", space, "addr", "add", f"{self.address(number)}/24", "dev", "eth0")
        run("ip", "-n", space, "link", "set", "eth0", "up")
        run("ip", "-n", space, "link", "set", "lo", "up")

    def cut(self, number):
        run("ip", "link", "set", self.cable(number), "down")

    def join(self, number):
        run("ip", "link", "set", self.cable(number), "up")

    def close(self):
        for words in [["ip", "netns", "del", self.space(n)] for n in self.hosts] + [
                ["ip", "link", "del", self.tag]]:
            try:
                subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            except OSError:
                pass  # there is no `ip`, so there was nothing to close
        self.hosts = []
