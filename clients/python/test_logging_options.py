"""Logging options: boto3 sets them, and `thingwire logs` shows accordingly what MQTT clients do."""

import json

import pytest
from harness import aws, rawmqtt
from harness.journal import Journal
from harness.server import policy, statement

ROLE = "arn:aws:iam::000000000000:role/logs"


class Watched:
    """A server whose logs are looked at."""

    def __init__(self, server):
        self.server = server
        mute = policy(statement("Allow", ["iot:Connect", "iot:Subscribe"], "*"))
        self.thing, self._witness = server.create_thing("lamp", mute), server.create_thing("witness", mute)
        self._witnesses = 0

    def _live(self, thing, client_id):
        """Connects, and is denied to publish."""
        with rawmqtt.Client.open(self.server.address("mqtts"), thing, client_id, rawmqtt.V5) as client:
            client.publish("a/b", b"x", qos=1)
            assert client.expect(rawmqtt.PUBACK).code == 0x87

    def logged_of(self, client_id):
        """The types of the entries that a client's life leaves, but for its end. A second client, whose denial is always
        logged, says when they are there."""
        self._live(self.thing, client_id)
        self._witnesses += 1
        witness = "witness-{}".format(self._witnesses)
        journal = Journal(self.server)
        try:
            self._live(self._witness, witness)
            journal.wait(clientId=witness, eventType="Publish-In")
        finally:
            journal.close()
        lines = self.server.run("logs", "--client-id", client_id).lines
        entries = [entry for entry in map(json.loads, lines) if entry.get("clientId") == client_id]
        return [entry["eventType"] for entry in entries if entry["eventType"] != "Disconnect"]


def test_the_logs_obey(new_server):
    watched = Watched(new_server().start())
    iot = aws.client(watched.server, "iot")
    with pytest.raises(iot.exceptions.NotConfiguredException) as refused:
        iot.get_v2_logging_options()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert watched.logged_of("before") == ["Connect", "Publish-In"]

    iot.set_v2_logging_options(roleArn=ROLE, defaultLogLevel="ERROR")
    assert watched.logged_of("default") == ["Publish-In"]
    iot.set_v2_logging_level(logTarget={"targetType": "CLIENT_ID", "targetName": "chosen"}, logLevel="DEBUG")
    assert watched.logged_of("chosen") == ["Connect", "Publish-In"]
    iot.set_v2_logging_level(logTarget={"targetType": "PRINCIPAL_ID", "targetName": watched.thing.certificate_id}, logLevel="DISABLED")
    assert watched.logged_of("silenced") == []

    watched.server.kill()
    watched.server.start()
    iot = aws.client(watched.server, "iot")
    assert watched.logged_of("restarted") == []
    levels = iot.list_v2_logging_levels()["logTargetConfigurations"]
    assert {"logTarget": {"targetType": "DEFAULT"}, "logLevel": "ERROR"} in levels and len(levels) == 3
    iot.delete_v2_logging_level(targetType="PRINCIPAL_ID", targetName=watched.thing.certificate_id)
    assert watched.logged_of("deleted") == ["Publish-In"]

    iot.set_v2_logging_options(defaultLogLevel="ERROR", eventConfigurations=[{"eventType": "Connect", "logLevel": "INFO"}])
    assert watched.logged_of("event-type") == ["Connect", "Publish-In"]
    options = iot.get_v2_logging_options()
    assert (options["roleArn"], options["defaultLogLevel"], options["disableAllLogs"]) == (ROLE, "ERROR", False)
    assert options["eventConfigurations"] == [{"eventType": "Connect", "logLevel": "INFO"}]


def test_the_older_operations(new_server):
    watched = Watched(new_server().start())
    iot = aws.client(watched.server, "iot")
    iot.set_v2_logging_options(disableAllLogs=True)
    assert iot.get_logging_options()["logLevel"] == "DISABLED"
    iot.set_logging_options(loggingOptionsPayload={"roleArn": ROLE, "logLevel": "ERROR"})
    got = iot.get_logging_options()
    assert (got["roleArn"], got["logLevel"]) == (ROLE, "ERROR")
    assert watched.logged_of("older") == ["Publish-In"]
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.delete_v2_logging_level(targetType="DEFAULT", targetName="any")
