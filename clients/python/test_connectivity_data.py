"""GetThingConnectivityData: whether the device of a thing is connected, since when, and why it went, with boto3 and the AWS
CLI, of a device that is not ours."""

import datetime
import time

import pytest
from harness import aws
from harness.aws import CLI
from harness.paho import V3, V5, Client

VERSIONS = pytest.mark.parametrize("version", [V3, V5], ids=["v3", "v5"])


@pytest.fixture(scope="module")
def iot(server):
    return aws.client(server, "iot")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def told(iot, name):
    """The answer without what is in all of them."""
    answer = iot.get_thing_connectivity_data(thingName=name)
    assert answer.pop("thingName") == name
    del answer["ResponseMetadata"]
    return answer


def until_gone(iot, name):
    """Asks until the end that the device knows of is told of."""
    deadline = time.monotonic() + 20
    while told(iot, name)["connected"]:
        assert time.monotonic() < deadline


@VERSIONS
def test_a_device_comes_and_goes(server, thing, iot, unique, version):
    name = unique("lamp")
    iot.create_thing(thingName=name)
    assert told(iot, name) == {"connected": False}
    before = now()
    with Client.open(server, thing, name, version) as device:
        answer = told(iot, name)
        assert (answer["connected"], answer["disconnectReason"]) == (True, "NONE")
        assert abs(answer["timestamp"] - before) < datetime.timedelta(seconds=5)
        device.drop()
        assert device.closed.wait(20)
    # Whoever comes next is told of once the end of the other one is.
    with Client.open(server, thing, name, version) as device:
        with Client.open(server, thing, name, version):
            assert device.closed.wait(20)
            assert told(iot, name)["connected"]
    until_gone(iot, name)
    by_cli = CLI(server).json("iot", "get-thing-connectivity-data", "--thing-name", name)
    assert (by_cli["thingName"], by_cli["connected"]) == (name, False)
    assert by_cli["disconnectReason"] == "CLIENT_INITIATED_DISCONNECT"
    assert by_cli["timestamp"] >= before.timestamp() - 1


@VERSIONS
def test_the_reason_that_an_administrator_gave(server, thing, iot, unique, version):
    name = unique("lamp")
    iot.create_thing(thingName=name)
    with Client.open(server, thing, name, version, clean=version == V5) as device:
        aws.client(server, "iot-data").delete_connection(clientId=name, cleanSession=True)
        assert device.closed.wait(20)
    until_gone(iot, name)
    answer = told(iot, name)
    assert (answer["connected"], answer["disconnectReason"]) == (False, "API_INITIATED_DISCONNECT")


def test_of_a_client_without_a_thing(server, thing, iot, unique):
    """Only registered things are told of, whoever is connected."""
    name = unique("nobody")
    with Client.open(server, thing, name), pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.get_thing_connectivity_data(thingName=name)
