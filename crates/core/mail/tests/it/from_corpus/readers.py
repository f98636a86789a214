"""Which of four readers of mail show the author of a message as the victim.

Standard input: messages, each behind its length (four octets, big endian). The argument is the
victim's domain. Standard output: a line of four characters for each message, 1 for each reader that
shows the victim: Python's old reader, its new one, one that decodes before it parses, a naive one.

A name beside an address is not what a reader shows: whoever has the one shows it with the other.
"""

import email
import email.policy
import re
import struct
import sys
import unicodedata
from email.header import decode_header, make_header
from email.utils import getaddresses, parseaddr

VICTIM = sys.argv[1].lower()
ADDRESS = re.compile(r"[^\s<>(),;:\"@]+@[^\s<>(),;:\"@!]+")
ENCODED = re.compile(r"=\?[^?]*\?[qQbB]\?.*?\?=", re.S)


def of_victim(address):
    """Whether the address is the victim's, for people who do not see what has no width."""
    text = unicodedata.normalize("NFKC", address).replace("\u3002", ".")
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc"))
    domain = text.rpartition("@")[2].strip(" <>\"'.").lower()
    return domain == VICTIM or domain.endswith("." + VICTIM)


def shows(addresses, text):
    """What is shown: addresses, or the text where there are none."""
    addresses = [address for address in addresses if "@" in address]
    if not addresses:
        text = unicodedata.normalize("NFKC", text)
        addresses = ADDRESS.findall(text) + uucp(text)
    return any(of_victim(address) for address in addresses)


def uucp(text):
    """Paths of old mail, as addresses."""
    bang = [f"{user}@{host}" for host, user in re.findall(r"([\w.-]+)!(\w+)", text)]
    percent = [f"{user}@{host}" for user, host in re.findall(r"(\w+)%([\w.-]+)", text)]
    return bang + percent


def decoded(text):
    try:
        return str(make_header(decode_header(text)))
    except Exception:
        return text


def old(octets):
    message = email.message_from_bytes(octets, policy=email.policy.compat32)
    for value in message.get_all("From") or []:
        value = str(value)
        addresses = [address for _, address in getaddresses([value])] + [parseaddr(value)[1]]
        # An address is shown decoded as well, by those who decode all they show.
        if shows(addresses + [decoded(address) for address in addresses], decoded(value)):
            return True
    return False


def new(octets):
    message = email.message_from_bytes(octets, policy=email.policy.default)
    try:
        fields = message.get_all("From") or []
        found = [([address.addr_spec for address in field.addresses], str(field)) for field in fields]
    except Exception:
        return False
    return any(shows(addresses, text) for addresses, text in found)


def fields(octets):
    """Values of From fields, however its name is spelled, up to an empty line."""
    lines = re.split(rb"\r\n|\n|\r", octets)
    found, value = [], None
    for line in lines[1:] if lines[0].startswith((b"From ", b">From ")) else lines:
        if not line:
            break
        name, colon, rest = line.partition(b":")
        shown = bytes(octet for octet in name if 33 <= octet <= 126)
        if line[:1] in b" \t" and value is not None:
            value += b" " + line.lstrip()
            continue
        if value is not None:
            found.append(value)
        value = rest if colon and shown.lower() == b"from" else None
    return found + ([value] if value is not None else [])


def as_text(octets):
    for charset in ("utf-8", "iso-8859-1"):
        try:
            return octets.decode(charset)
        except UnicodeDecodeError:
            pass
    return ""


def outside(text):
    """Without comments and quoted strings."""
    kept, depth, quoted, escaped = [], 0, False, False
    for c in text:
        if escaped:
            escaped = False
            continue
        if c == "\\":
            escaped = True
        elif quoted:
            quoted = c != '"'
        elif c == "(":
            depth += 1
        elif c == ")":
            depth = max(0, depth - 1)
        elif depth == 0 and c == '"':
            quoted = True
        elif depth == 0:
            kept.append(c)
    return "".join(kept)


def naive_addresses(value):
    """The last angle brackets with an address; else the first and the last thing that looks like one."""
    angles = [inside for inside in re.findall(r"<([^<>]*)>", value) if "@" in inside]
    if angles:
        return ADDRESS.findall(angles[-1])[-1:]
    found = ADDRESS.findall(value)
    return found[:1] + found[-1:]


def naive_shows(text):
    text = unicodedata.normalize("NFKC", text)
    for cut in {text, text.partition("\0")[0]}:
        if shows(naive_addresses(outside(cut)), cut):
            return True
    return False


def decode_first(octets):
    for value in fields(octets):
        text = as_text(value)
        whole = ENCODED.sub(lambda word: decoded(word.group()), text)
        if naive_shows(whole):
            return True
    return False


def naive(octets):
    return any(naive_shows(as_text(value)) for value in fields(octets))


def guarded(reader, octets):
    try:
        return reader(octets)
    except Exception:
        # A reader that fails shows nothing.
        return False


source = sys.stdin.buffer
while length := source.read(4):
    message = source.read(struct.unpack(">I", length)[0])
    print("".join("01"[guarded(reader, message)] for reader in (old, new, decode_first, naive)))
