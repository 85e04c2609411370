"""Debian's mosquitto_pub and mosquitto_sub."""

from .server import ENDPOINT, Process


def _flags(address, thing, client_id):
    flags = ["-h", ENDPOINT, "-p", address[1], "--cafile", thing.ca, "--cert", thing.cert, "--key", thing.key]
    return flags + (["-i", client_id] if client_id else [])


def publish(server, thing, topic, payload=None, *more, qos=1, client_id=None, check=True, lines=None):
    """Runs mosquitto_pub to its end. With lines, each becomes a message of one connection (-l)."""
    argv = ["mosquitto_pub", *_flags(server.address("mqtts"), thing, client_id), "-t", topic, "-q", qos, *more]
    if lines is not None:
        file = server.folder / "lines-{}.txt".format(abs(hash((topic, len(lines)))))
        file.write_text("".join(line + "\n" for line in lines))
        process = Process(["sh", "-c", 'exec "$@" -l < "$0"', file, *argv])
    else:
        process = Process(argv + (["-n"] if payload is None else ["-m", payload]))
    code = process.finish()
    if check:
        assert code == 0, "mosquitto_pub ended with {}:\n{}".format(code, process.output())
    return process


def subscribe(server, thing, topic, *more, qos=1, client_id=None, inbox=None, wait=True):
    """Starts mosquitto_sub and returns it once the server has answered its SUBSCRIBE. inbox gets each payload line.

    wait=False is for a session that may bring all messages, and so the end, before the answer to SUBSCRIBE.
    """
    argv = ["stdbuf", "-oL", "mosquitto_sub", *_flags(server.address("mqtts"), thing, client_id)]
    process = Process([*argv, "-t", topic, "-q", qos, "-d", *more], on_line=inbox and (lambda line: _is_talk(line) or inbox.put(line)))
    if wait:
        process.wait_for_line(lambda line: line.startswith("Subscribed "))
    return process


def payloads(process):
    """What mosquitto_sub -d printed, without its own talk of packets."""
    return [line for line in process.lines if not _is_talk(line)]


def _is_talk(line):
    return line.startswith(("Client ", "Subscribed ", "Unsubscribed "))
