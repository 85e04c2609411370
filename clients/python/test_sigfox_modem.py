"""`thingwire sigfox modem` as firmware and serial programs meet it: pyserial opens the terminal and the port."""

import signal
import struct

import pytest
import serial
from harness.server import BINARY, Process

SPEED = 100  # six seconds on the air are sixty milliseconds


@pytest.fixture
def modem():
    """Starts the verb and ends it in order; answers the process and where the modem is."""
    started = []

    def start(*flags, speed=SPEED):
        process = Process([BINARY, "sigfox", "modem", "--speed", speed, *flags])
        started.append(process)
        line = process.wait_for_line(lambda line: line.startswith("The modem is on "))
        return process, line.split()[-1]

    yield start
    for process in started:
        process.child.send_signal(signal.SIGTERM)
        assert process.finish() == 0, process.output()


def arduino_hex(byte):
    """What Arduino's print(x, HEX) writes: no leading zero."""
    return "{:X}".format(byte).encode()


def sketch(port, celsius, padded=False):
    """The loop of Sigfox's how-to, print by print: the float's memory from index 3 down to 0."""
    port.write(b"AT$SF=")
    memory = struct.pack("<f", celsius)
    for i in (3, 2, 1, 0):
        if padded and memory[i] < 0x10:
            port.write(b"0")
        port.write(arduino_hex(memory[i]))
    port.write(b"\r")


def answer(port):
    line = port.read_until(b"\r\n")
    assert line.endswith(b"\r\n"), "no whole line within the timeout: {!r}".format(line)
    return line[:-2].decode()


@pytest.mark.parametrize(
    "celsius, padded, answered, told",
    [
        (25.1, False, "OK", "modem: frame 41C8CCCD was sent"),
        (25.0, False, "OK", "modem: frame 41C800 was sent"),
        (25.0, True, "OK", "modem: frame 41C80000 was sent"),
        (23.0625, False, "ERROR", 'modem: "AT$SF=41B8800" is answered with ERROR: its payload has 7 hex digits'),
        (23.0625, True, "OK", "modem: frame 41B88000 was sent"),
        (0.0, False, "OK", "modem: frame 0000 was sent"),
    ],
)
def test_the_sketch_on_a_terminal(modem, celsius, padded, answered, told):
    process, path = modem("--pty")
    with serial.Serial(path, 19200, timeout=20) as port:
        port.write(b"+++")
        sketch(port, celsius, padded)
        assert [answer(port), answer(port)] == ["OK", answered]
    process.wait_for_line(lambda line: line.startswith(told))


def test_a_terminal_is_opened_again_and_at_another_rate(modem):
    _, path = modem("--pty")
    for rate in (9600, 19200, 115200):
        with serial.Serial(path, rate, timeout=20) as port:
            port.write(b"AT\r")
            assert answer(port) == "OK"


def test_everything_the_reference_lists(modem):
    _, path = modem("--pty", "--temperature", "-3.2", "--voltage", "2.95")
    with serial.Serial(path, 19200, timeout=20) as port:
        for command, answers in [
            ("AT$I=10", ["0", "OK"]),
            ("AT$I=11", ["0000000000000000", "OK"]),
            ("AT$SB=1", ["OK"]),
            ("AT$SF=313245", ["OK"]),
            ("AT$SF=0102030405060708090a0b0c", ["OK"]),
            ("AT$SF=0102030405060708090a0b0c0d", ["ERROR"]),
            ("AT$SF=0A,1", ["OK", "+RX BEGIN", "+RX END"]),
            ("AT$TM?", ["-32", "OK"]),
            ("AT$V?", ["2950", "OK"]),
            ("ATDT112", ["ERROR"]),
        ]:
            port.write(command.encode() + b"\r\n")
            assert [answer(port) for _ in answers] == answers, command
        assert not port.in_waiting


def test_a_serial_program_on_the_tcp_port(modem):
    _, address = modem("--tcp", "127.0.0.1:0")
    with serial.serial_for_url("socket://" + address, timeout=20) as port:
        port.write(b"+++")
        sketch(port, 21.37)
        assert [answer(port), answer(port)] == ["OK", "OK"]
