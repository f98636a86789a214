#!/usr/bin/env python3
"""What mail of others costs while one client floods the service with names that do not answer.

    benches/dns_flood.py [--binary target/release/landmarc] [--seconds 12] [--flood keys|policies]

Starts a DNS server on loopback and `landmarc serve` in mode enforce, and for 0, 30, 100 and 300
connections of a flood sends, from another client network,

* honest messages: SPF passes, the policy is p=reject, each name is new and takes 30 ms;
* spoofs of a domain with p=reject that answers after 400 ms, and of one after 1.5 s. A name below
  it is made up for each message, so that nothing is in the cache.

The flood is messages with ten signatures of silent domains and a silent domain in MAIL FROM
(keys), or with four silent domains in From (policies). The last line of each flood is a spoof by
the flooding client itself. No spoof may be accepted. Times are in milliseconds.
"""

import argparse
import asyncio
import http.client
import json
import os
import random
import signal
import statistics
import struct
import subprocess
import tempfile
import threading
import time

SLOW = {"slow400.test": 0.4, "slow1500.test": 1.5}
CLIENT, FLOODER = "198.51.100.7", "192.0.2.66"
HASH = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


class Dns(asyncio.DatagramProtocol):
    """Silent below silent.test; slow below the slow domains; else an answer after 30 ms."""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, packet, client):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1 : at + 1 + packet[at]].decode("latin-1").lower())
            at += 1 + packet[at]
        question, name = packet[12 : at + 5], ".".join(labels)
        kind = struct.unpack(">H", packet[at + 1 : at + 3])[0]
        zone = ".".join(labels[-2:])
        if zone == "silent.test":
            return
        text = self.text(name, labels, zone) if kind == 16 else None
        head = packet[:2] + struct.pack(">HHHHH", 0x8180 | (0 if text else 3), 1, int(bool(text)), 0 if text else 1, 0)
        if text:
            data = bytes([len(text)]) + text.encode()
            rest = b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 300, len(data)) + data
        else:
            soa = b"\0\0" + struct.pack(">IIIII", 1, 7200, 3600, 86400, 300)
            rest = b"\0" + struct.pack(">HHIH", 6, 1, 300, len(soa)) + soa
        answer = head + question + rest
        delay = SLOW.get(zone, 0.03)
        asyncio.get_running_loop().call_later(delay, self.transport.sendto, answer, client)

    @staticmethod
    def text(name, labels, zone):
        if zone in SLOW and name == f"_dmarc.{zone}":
            return "v=DMARC1; p=reject"
        if zone.startswith("honest") and labels[0] == "_dmarc" and len(labels) == 3:
            return "v=DMARC1; p=reject"
        if zone.startswith("honest") and len(labels) == 2:
            return f"v=spf1 ip4:{CLIENT} -all"
        return None


def serve_dns(ready):
    async def run():
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Dns, local_addr=("127.0.0.1", 0))
        ready.append(transport.get_extra_info("sockname")[1])
        await asyncio.Event().wait()

    asyncio.run(run())


def word():
    return f"{random.getrandbits(40):x}"


class Service:
    def __init__(self, binary, dns_port, folder):
        settings = os.path.join(folder, "landmarc.toml")
        with open(settings, "w") as file:
            file.write(
                f'mode = "enforce"\nauthserv_id = "mx.test"\n[milter]\nlisten = ["inet:127.0.0.1:0"]\n'
                f'[web]\nlisten = []\n[store]\ndirectory = "{folder}/store"\n[log]\ntarget = "stderr"\n'
                f'[dns]\nname_servers = ["127.0.0.1:{dns_port}"]\n[clients]\ntrusted_networks = []\n'
                f'[check_api]\nlisten = ["inet:127.0.0.1:0"]\nmax_connections = 512\n'
            )
        self.log = open(os.path.join(folder, "log"), "w+")
        self.process = subprocess.Popen([binary, "serve", "--config", settings], stderr=self.log)
        self.port = None
        while self.port is None:
            time.sleep(0.05)
            with open(self.log.name) as log:
                for line in log:
                    if "check API on " in line:
                        self.port = int(line.strip().rstrip("/").rsplit(":", 1)[1])

    def check(self, client, mail_from, authors, signatures=()):
        message = "".join(
            f"DKIM-Signature: v=1; a=rsa-sha256; d={domain}; s=s; h=from; bh={HASH}; b=QUJD\r\n"
            for domain in signatures
        )
        message += f"From: {', '.join('ceo@' + author for author in authors)}\r\nTo: v@example.net\r\n\r\nb\r\n"
        headers = {"Landmarc-Client": client, "Landmarc-Mail-From": mail_from, "Landmarc-Rcpt-To": "v@example.net"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/v1/check", message.encode(), headers)
        answer = json.load(connection.getresponse())
        connection.close()
        return f"{answer['verdict']} ({answer['dmarc']['result']})"

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.log.close()


def flood(service, kind, stop, sent):
    while not stop.is_set():
        silent = [f"x{i}{word()}.silent.test" for i in range(10)]
        if kind == "keys":
            service.check(FLOODER, f"x@{word()}.silent.test", ["evil.test"], silent)
        else:
            service.check(FLOODER, "x@evil.test", silent[:4])
        sent.append(1)


def timed(action, count):
    verdicts, times = {}, []
    for _ in range(count):
        start = time.monotonic()
        verdict = action()
        times.append(1000 * (time.monotonic() - start))
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
    times.sort()
    text = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    return text, statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/landmarc")
    parser.add_argument("--seconds", type=int, default=8, help="before the first measurement")
    parser.add_argument("--messages", type=int, default=100, help="honest ones; a tenth as many of each spoof")
    parser.add_argument("--flood", choices=["keys", "policies"], default="keys")
    parser.add_argument("--connections", type=int, nargs="*", default=[0, 30, 100, 300])
    options = parser.parse_args()
    ready = []
    threading.Thread(target=serve_dns, args=(ready,), daemon=True).start()
    while not ready:
        time.sleep(0.01)
    print("| connections | messages/s of the flood | mail | verdicts | median | p99 |\n|---|---|---|---|---|---|")
    for connections in options.connections:
        with tempfile.TemporaryDirectory() as folder:
            service = Service(options.binary, ready[0], folder)
            stop, sent, begun = threading.Event(), [], time.monotonic()
            threads = [
                threading.Thread(target=flood, args=(service, options.flood, stop, sent)) for _ in range(connections)
            ]
            for thread in threads:
                thread.start()
            time.sleep(options.seconds if connections else 0)

            def honest():
                domain = f"honest{word()}.test"
                return service.check(CLIENT, f"a@{domain}", [domain])

            def spoof(client, domain):
                return service.check(client, "x@evil.test", [f"h{word()}.{domain}"])

            rows = [
                ("honest", timed(honest, options.messages)),
                ("spoof, 400 ms", timed(lambda: spoof(CLIENT, "slow400.test"), options.messages // 10)),
                ("spoof, 1.5 s", timed(lambda: spoof(CLIENT, "slow1500.test"), options.messages // 10)),
                ("spoof, 400 ms, by the flooder", timed(lambda: spoof(FLOODER, "slow400.test"), options.messages // 10)),
            ]
            rate = len(sent) / (time.monotonic() - begun)
            for mail, (verdicts, median, most) in rows:
                print(f"| {connections} | {rate:.0f} | {mail} | {verdicts} | {median:.0f} | {most:.0f} |", flush=True)
            stop.set()
            for thread in threads:
                thread.join()
            service.end()


if __name__ == "__main__":
    main()
