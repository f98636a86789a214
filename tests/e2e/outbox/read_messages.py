"""Reads messages with none of our own code, and says as JSON what is in them.

    python3 read_messages.py ZONES OUT FILE...

ZONES is a JSON object from the name of a TXT record to its text: the DKIM keys. Each FILE is one
mail as it lies in a mailbox. Python's e-mail package takes it apart, its zlib unpacks the report,
its ElementTree reads that, and dkimpy verifies the signatures. The XML of the reports is written
into the directory OUT, one file each, for xmllint. One JSON object a line comes out.
"""

import email
import email.policy
import email.utils
import gzip
import json
import os
import sys
import unittest.mock
import xml.etree.ElementTree as tree

import dkim

NAMESPACE = "{urn:ietf:params:xml:ns:dmarc-2.0}"


def main():
    zones = json.load(open(sys.argv[1]))
    for number, path in enumerate(sys.argv[3:]):
        with open(path, "rb") as file:
            octets = file.read()
        message = read(octets, zones)
        message["file"] = path
        if message["xml"] is not None:
            place = os.path.join(sys.argv[2], f"{number}.xml")
            with open(place, "wb") as file:
                file.write(message.pop("xml"))
            message["report"] = report(place)
            message["xml"] = place
        print(json.dumps(message))


def read(octets, zones):
    message = email.message_from_bytes(octets, policy=email.policy.default)
    attachments = [part for part in message.iter_attachments() if part.get_content_type() == "application/gzip"]
    facts = {
        "from": str(message["From"]),
        "to": str(message["To"]),
        "subject": str(message["Subject"]),
        "message_id": str(message["Message-ID"]),
        "auto_submitted": str(message["Auto-Submitted"]),
        "return_path": str(message["Return-Path"]),
        "delivered_to": str(message["Delivered-To"]),
        "type": message.get_content_type(),
        "parts": [part.get_content_type() for part in message.iter_parts()],
        "defects": [str(defect) for part in message.walk() for defect in part.defects],
        "signatures": signatures(octets, message, zones),
        "file_name": None,
        "text": None,
        "xml": None,
    }
    body = message.get_body(("plain",))
    if body is not None:
        facts["text"] = body.get_content()
    if attachments:
        facts["file_name"] = attachments[0].get_filename()
        facts["xml"] = gzip.decompress(attachments[0].get_content())
    feedback = [part for part in message.walk() if part.get_content_type() == "message/feedback-report"]
    if feedback:
        fields = email.message_from_string(str(feedback[0].get_payload()[0]) if feedback[0].is_multipart() else feedback[0].get_payload())
        facts["feedback"] = {name: str(value) for name, value in fields.items()}
        facts["content"] = "\n".join(content(part) for part in message.iter_parts())
    return facts


def content(part):
    """A part as its reader sees it, out of its encoding."""
    octets = part.get_payload(decode=True)
    return part.as_string() if octets is None else octets.decode("utf-8", "replace")


def signatures(octets, message, zones):
    """The result for each DKIM-Signature, from the top."""

    def answer(name, timeout=5):
        text = zones.get(name.decode("ascii").rstrip(".").lower())
        return text.encode("ascii") if text is not None else None

    # As it came from the relay: line ends of a mailbox are not those of the wire.
    wire = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    count = len(message.get_all("DKIM-Signature", []))
    # A day that a test closes may lie ahead, and dkimpy takes no signature of tomorrow: the message is read
    # on the day of its Date.
    date = email.utils.parsedate_to_datetime(message["Date"]).timestamp()
    with unittest.mock.patch("time.time", return_value=date):
        return [dkim.DKIM(wire).verify(index, dnsfunc=answer) for index in range(count)]


def report(path):
    root = tree.parse(path).getroot()
    text = lambda element, name: (element.findtext(NAMESPACE + name))
    metadata = root.find(NAMESPACE + "report_metadata")
    policy = root.find(NAMESPACE + "policy_published")
    dates = metadata.find(NAMESPACE + "date_range")
    return {
        "report_id": text(metadata, "report_id"),
        "org_name": text(metadata, "org_name"),
        "email": text(metadata, "email"),
        "error": text(metadata, "error"),
        "begin": int(text(dates, "begin")),
        "end": int(text(dates, "end")),
        "policy": {child.tag.removeprefix(NAMESPACE): child.text for child in policy},
        "rows": [row(record) for record in root.findall(NAMESPACE + "record")],
    }


def row(record):
    strip = lambda element: {child.tag.removeprefix(NAMESPACE): child.text for child in element}
    row = record.find(NAMESPACE + "row")
    evaluated = row.find(NAMESPACE + "policy_evaluated")
    results = record.find(NAMESPACE + "auth_results")
    return {
        "source_ip": row.findtext(NAMESPACE + "source_ip"),
        "count": int(row.findtext(NAMESPACE + "count")),
        "disposition": evaluated.findtext(NAMESPACE + "disposition"),
        "dkim": evaluated.findtext(NAMESPACE + "dkim"),
        "spf": evaluated.findtext(NAMESPACE + "spf"),
        "reasons": [strip(reason) for reason in evaluated.findall(NAMESPACE + "reason")],
        "identifiers": strip(record.find(NAMESPACE + "identifiers")),
        "dkim_results": [strip(result) for result in results.findall(NAMESPACE + "dkim")],
        "spf_results": [strip(result) for result in results.findall(NAMESPACE + "spf")],
    }


main()
