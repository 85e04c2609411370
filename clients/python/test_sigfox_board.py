"""A board with a modem whose device is known to the server: from pyserial's bytes to the message list and back."""

import json
import signal

import pytest
import serial
from harness.server import BINARY, Process
from test_sigfox_modem import answer, sketch

SPEED = 1000


@pytest.fixture
def board(new_server):
    """A server with the device 4D3091, and its modem on a terminal."""
    server = new_server(flags=["--sigfox-speed", str(SPEED)]).start()
    server.run("sigfox", "device-type", "create", "rooms", "--payload-config", "temp::float:32", "--downlink-mode", "callback")
    server.run("sigfox", "device", "create", "4D3091", "--device-type", "rooms", "--pac", "0123456789ABCDEF")
    process = Process([BINARY, "sigfox", "modem", "--device", "4d3091", "--pty", "--speed", SPEED, "--data-dir", server.data])
    path = process.wait_for_line(lambda line: line.startswith("The modem is on ")).split()[-1]
    with serial.Serial(path, 19200, timeout=20) as port:
        yield server, process, port
    process.child.send_signal(signal.SIGTERM)
    assert process.finish() == 0, process.output()


def ask(port, command, lines):
    port.write(command + b"\r")
    return [answer(port) for _ in range(lines)]


def messages(server, limit=10):
    """The newest messages first, as data and the text of its fields."""
    printed = server.run("sigfox", "messages", "4D3091", "--limit", str(limit), "--output", "json").output()
    return json.loads(printed)["messages"]


def test_readings_of_the_sketch_are_messages(board):
    server, process, port = board
    assert ask(port, b"AT$I=10", 2) == ["4D3091", "OK"]
    assert ask(port, b"AT$I=11", 2) == ["0123456789ABCDEF", "OK"]
    port.write(b"+++")
    assert answer(port) == "OK"
    answers = []
    for celsius in (25.1, 25.0, 23.0625):
        sketch(port, celsius)
        answers.append(answer(port))
    assert answers == ["OK", "OK", "ERROR"]
    assert [m["data"] for m in messages(server)] == ["41c800", "41c8cccd"]
    text = server.run("sigfox", "messages", "4D3091").output()
    assert "41c8cccd  temp=25.1" in text and "41c800  temp=null" in text
    assert "hint: temp needs 4 bytes, this frame has 3" in text and "41C80000 would read temp=25.0" in text
    assert "7 hex digits" in process.wait_for_line(lambda line: "ERROR" in line)


def test_a_bit_is_a_byte(board):
    server, _, port = board
    assert ask(port, b"AT$SB=1", 1) == ["OK"]
    assert ask(port, b"AT$SB=0", 1) == ["OK"]
    assert [m["data"] for m in messages(server)] == ["00", "01"]


def test_a_downlink_reaches_the_board(board):
    server, _, port = board
    server.run("sigfox", "downlink", "4D3091", "00112233445566aa")
    assert ask(port, b"AT$SF=01,1", 4) == ["OK", "+RX BEGIN", "+RX=00 11 22 33 44 55 66 aa", "+RX END"]
    assert ask(port, b"AT$SF=02,1", 3) == ["OK", "+RX BEGIN", "+RX END"]


def test_the_141st_message_is_taken_and_marked(board):
    server, process, port = board
    for _ in range(141):
        assert ask(port, b"AT$SF=01", 1) == ["OK"]
    marked = [m.get("overQuota", False) for m in messages(server, 141)]
    assert marked == [True] + 140 * [False]
    process.wait_for_line(lambda line: "over the 140 messages of the day" in line)


def test_a_modem_outlives_its_server(board):
    server, process, port = board
    server.stop()
    assert ask(port, b"AT$SF=01", 1) == ["OK"]
    process.wait_for_line(lambda line: line.startswith("modem: frame 01 was lost: ") and "a modem cannot know" in line)
    server.start()
    assert ask(port, b"AT$SF=02", 1) == ["OK"]
    assert [m["data"] for m in messages(server)] == ["02"]
