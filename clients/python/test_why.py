"""`thingwire why` explains what clients run into: every cause of AWS's tables of refused operations (message-broker facts
2.7) and of disconnectReason (6.3). What a throttle does (2.8) is in test_why_throttled.py.

Causes that no test is here for:

- a custom authorizer that says no (2.7) and CUSTOMAUTH_TTL_EXPIRATION: there are no custom authorizers
- WEBSOCKET_TTL_EXPIRATION: the shortest session lasts 15 minutes; the Go tests of the gateway let them pass at once

SERVER_ERROR needs a disk that fails below the server: the Go tests of the broker have one, a client has not.
"""

import json

import pytest
from harness import aws, mosquitto, rawmqtt
from harness.certificates import self_made
from harness.journal import Journal
from harness.paho import V3, V5, Client, Will
from harness.server import BINARY, Process, arn, policy, statement

VERSIONS = pytest.mark.parametrize("version", [V3, V5], ids=["v3", "v5"])
NOT_AUTHORIZED = 0x87


@pytest.fixture(scope="module")
def journal(server):
    journal = Journal(server)
    yield journal
    journal.close()


@pytest.fixture(scope="module")
def limited(server, unique):
    """A thing whose policy allows a little and forbids one thing by name."""
    return server.create_thing(unique("limited"), policy(
        statement("Allow", "iot:Connect", [arn("client/limited-*"), arn("client/forbidden-*")]),
        statement("Allow", ["iot:Publish"], arn("topic/why/*")),
        statement("Allow", "iot:Receive", arn("topic/why/open")),
        statement("Allow", "iot:Subscribe", arn("topicfilter/why/*")),
        {"Sid": "NoSecrets", **statement("Deny", ["iot:Publish", "iot:Subscribe"], [arn("topic/why/secret"), arn("topicfilter/why/secret")])},
        {"Sid": "NotThisOne", **statement("Deny", "iot:Connect", arn("client/forbidden-*"))},
    ))  # fmt: skip


@pytest.fixture
def client(server, limited, unique):
    """Connects as the limited thing; the id is new each time."""

    def make(version, **kwargs):
        client_id = unique("limited")
        return client_id, Client.open(server, limited, client_id, version, **kwargs)

    return make


def same_trace(told, properties):
    """The reason string that the client got ends with the trace id of the entry: support can go from one to the other."""
    assert properties.ReasonString.endswith(":" + told["traceId"])
    assert told["cause"] in properties.ReasonString


class TestDenied:
    """2.7: what the policies do not allow."""

    @VERSIONS
    def test_connect(self, server, limited, journal, unique, version):
        client_id = unique("else")
        client = Client(server, limited, client_id, version)
        assert client.closed.wait(20)
        told = journal.told(client_id, eventType="Connect", status="Failure")
        assert (told["reason"], told["disconnectReason"]) == ("AUTHORIZATION_FAILURE", "FORBIDDEN_ACCESS")
        assert (told["packet"], told["reasonCode"]) == ("CONNECT", NOT_AUTHORIZED)
        assert (told["principalId"], told["sourceIp"]) == (limited.certificate_id, "127.0.0.1")
        asked = "asked for client/" + client_id
        told.explains(["no policy allows iot:Connect", "nearest is policy", "allowed on client/limited-*", asked], "allow iot:Connect")
        if version == V5:
            same_trace(told, client.connack[1])

    @VERSIONS
    def test_connect_by_name(self, server, limited, journal, unique, version):
        """An explicit Deny: the statement that decided, by its Sid."""
        client_id = unique("forbidden")
        assert Client(server, limited, client_id, version).closed.wait(20)
        told = journal.told(client_id, eventType="Connect", status="Failure", disconnectReason="FORBIDDEN_ACCESS")
        assert told["statement"] == "NotThisOne" and limited.name in told["policy"]
        told.explains(["denied", "NotThisOne"], "narrow the Deny")

    @VERSIONS
    def test_subscribe(self, client, journal, version):
        client_id, one = client(version)
        mid = one.send_subscribe("elsewhere/#")
        if version == V3:
            assert one.closed.wait(20)
            told = journal.told(client_id, eventType="Disconnect")
            assert told["disconnectReason"] == "AUTH_ERROR"
        else:
            codes, properties = one.answer(mid)
            assert codes == [NOT_AUTHORIZED]
            told = journal.told(client_id, eventType="Subscribe", status="Failure")
            assert told["topicName"] == "elsewhere/#"
            same_trace(told, properties)
        assert told["reason"] == "AUTHORIZATION_FAILURE" and told["packet"].startswith("SUBSCRIBE")
        assert told["reasonCode"] == NOT_AUTHORIZED
        told.explains(
            ["no policy allows iot:Subscribe", "allowed on topicfilter/why/*", "asked for topicfilter/elsewhere/#"],
            "iot:Subscribe" if version == V5 else "allow it in a policy",
        )

    @VERSIONS
    def test_one_filter_of_three(self, client, journal, version):
        """Which of them it was."""
        client_id, one = client(version)
        mid = one.send_subscribe("why/a", "why/secret", "why/b")
        if version == V3:
            assert one.closed.wait(20)
            told = journal.told(client_id, eventType="Disconnect")
        else:
            assert one.answer(mid)[0] == [1, NOT_AUTHORIZED, 1]
            told = journal.told(client_id, eventType="Subscribe", status="Failure")
            assert told["topicName"] == "why/secret"
        assert told["packet"] == "SUBSCRIBE 2 of 3"
        assert told["statement"] == "NoSecrets"
        told.explains(["why/secret", "denied by policy", "NoSecrets"], "narrow the Deny")

    @VERSIONS
    @pytest.mark.parametrize("qos", [0, 1])
    def test_publish(self, client, journal, version, qos):
        client_id, one = client(version)
        mid = one.send("elsewhere", "no", qos=qos)
        if version == V5 and qos == 1:
            code, properties = one.answer(mid)
            assert code == NOT_AUTHORIZED
            told = journal.told(client_id, eventType="Publish-In", status="Failure")
            assert told["topicName"] == "elsewhere"
            same_trace(told, properties)
        else:
            assert one.closed.wait(20)
            told = journal.told(client_id, eventType="Disconnect")
            assert told["disconnectReason"] == "AUTH_ERROR"
            if version == V5:
                assert one.end[0] == NOT_AUTHORIZED
                same_trace(told, one.end[1])
        assert told["reason"] == "AUTHORIZATION_FAILURE" and told["packet"].startswith("PUBLISH")
        told.explains(["no policy allows iot:Publish", "allowed on topic/why/*", "asked for topic/elsewhere"], "allow")

    @VERSIONS
    def test_publish_by_name(self, client, journal, version):
        client_id, one = client(version)
        one.send("why/secret", "no")
        told = journal.told(client_id, eventType="Publish-In" if version == V5 else "Disconnect", status="Failure")
        assert told["statement"] == "NoSecrets"
        told.explains(["denied", "NoSecrets"], "narrow the Deny")

    @VERSIONS
    def test_retain(self, client, journal, version):
        client_id, one = client(version)
        one.send("why/kept", "no", retain=True)
        told = journal.told(client_id, eventType="Publish-In" if version == V5 else "Disconnect", status="Failure")
        told.explains("no policy allows iot:RetainPublish", "allow")

    @VERSIONS
    def test_receive(self, server, thing, client, journal, version):
        """Nobody is told on the wire; the journal is the only place to learn it."""
        client_id, one = client(version)
        assert one.subscribe("why/+") == [1]
        mosquitto.publish(server, thing, "why/closed", "secret")
        mosquitto.publish(server, thing, "why/open", "open")
        assert one.texts(1) == ["open"]
        told = journal.told(client_id, eventType="Publish-Out", status="Failure")
        assert (told["topicName"], told["reason"]) == ("why/closed", "AUTHORIZATION_FAILURE")
        told.explains(["no policy allows iot:Receive on topic/why/closed", "nearest is policy"], "iot:Receive")
        one.disconnect()

    @VERSIONS
    @pytest.mark.parametrize(
        "will, action", [(Will("elsewhere"), "iot:Publish on topic/elsewhere"), (Will("why/will", retain=True), "iot:RetainPublish on topic/why/will")],
        ids=["publish", "retain"],
    )  # fmt: skip
    def test_will(self, server, limited, journal, unique, version, will, action):
        client_id = unique("limited")
        assert Client(server, limited, client_id, version, will=will).closed.wait(20)
        told = journal.told(client_id, eventType="Connect", status="Failure")
        assert (told["packet"], told["reasonCode"]) == ("CONNECT", NOT_AUTHORIZED)
        told.explains(["no policy allows " + action, "will"], "allow")

    def test_will_on_an_invalid_topic(self, server, limited, journal, unique):
        client_id = unique("limited")
        client = rawmqtt.Client(rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(limited)), rawmqtt.V5)
        assert client.connect(client_id, will=("why/+/will", "gone", 1)).code == 0x90
        # A CONNECT that cannot be read has no client id: the certificate's is what to ask by.
        told = journal.told(None, ask=limited.certificate_id, eventType="Connect", reasonCode=0x90)
        assert (told["status"], told["packet"], told["disconnectReason"]) == ("Failure", "CONNECT", "CLIENT_ERROR")
        told.explains("will topic contains a wildcard", "no + and #")


class TestCertificates:
    """2.7: a certificate that is not welcome. There is no client id yet; the user asks by the certificate's."""

    def refused(self, server, journal, one, reason):
        client = Client(server, one, "nobody-yet", V5)
        assert client.closed.wait(20)
        return journal.told(
            None, ask=one.certificate_id, eventType="Connection.AuthNError", reason=reason, principalId=one.certificate_id
        )

    def test_unknown(self, server, thing, journal, tmp_path):
        one, _ = self_made(tmp_path, thing.ca, -1, 365)
        told = self.refused(server, journal, one, "DEVICE_CERTIFICATE_NOT_REGISTERED")
        told.explains("certificate", "thingwire thing create")

    @pytest.mark.parametrize("begin, end, reason, remedy", [
        (-30, -1, "DEVICE_CERTIFICATE_EXPIRED", "create a new one"), (1, 30, "DEVICE_CERTIFICATE_NOT_YET_VALID", "clocks"),
    ], ids=["expired", "not yet valid"])  # fmt: skip
    def test_out_of_time(self, server, thing, journal, tmp_path, unique, begin, end, reason, remedy):
        one, pem = self_made(tmp_path, thing.ca, begin, end)
        name = unique("everything")
        server.create_policy(name, policy(statement("Allow", "*", "*")))
        server.register_certificate(pem, name)
        self.refused(server, journal, one, reason).explains("certificate", remedy)

    @pytest.mark.parametrize("status, remedy", [("INACTIVE", "activate it"), ("REVOKED", "revoked on purpose")])
    def test_not_active(self, server, journal, unique, status, remedy):
        one = server.create_thing(unique("thing"))
        server.set_certificate_status(one, status)
        told = self.refused(server, journal, one, "DEVICE_CERTIFICATE_" + status)
        assert told["authenticationType"] == "AWS_X509"
        told.explains("certificate", remedy)


class TestEnds:
    """6.3: how connections end."""

    @VERSIONS
    def test_client_initiated(self, server, thing, journal, unique, version):
        client_id = unique("leaver")
        Client.open(server, thing, client_id, version).disconnect()
        told = journal.told(client_id, eventType="Disconnect")
        assert (told["status"], told["disconnectReason"]) == ("Success", "CLIENT_INITIATED_DISCONNECT")
        assert "remedy" not in told.entry, "nothing is wrong"
        connected = told.entries[0]
        assert (connected["eventType"], connected["status"], connected["keepAliveDuration"]) == ("Connect", "Success", 60)
        assert "disconnected by itself" in told.text

    @VERSIONS
    def test_connection_lost(self, server, thing, journal, unique, version):
        client_id = unique("lost")
        Client.open(server, thing, client_id, version).drop()
        told = journal.told(client_id, eventType="Disconnect", disconnectReason="CONNECTION_LOST")
        told.explains("without DISCONNECT", ["network", "power"])

    @VERSIONS
    def test_deleted_by_the_api(self, server, thing, journal, unique, version):
        client_id = unique("deleted")
        with Client.open(server, thing, client_id, version) as client:
            aws.client(server, "iot-data").delete_connection(clientId=client_id)
            assert client.closed.wait(20)
        told = journal.told(client_id, eventType="Disconnect", disconnectReason="API_INITIATED_DISCONNECT")
        told.explains("DeleteConnection", "ask who operates this server")

    @VERSIONS
    def test_duplicate_client_id(self, server, thing, journal, unique, version):
        client_id = unique("twin")
        first = Client.open(server, thing, client_id, version)
        with Client.open(server, thing, client_id, version):
            assert first.closed.wait(20)
            told = journal.told(client_id, eventType="Disconnect", disconnectReason="DUPLICATE_CLIENTID")
            assert told["reason"] == "DUPLICATE_CLIENT_ID"
            told.explains("client id", "give each device its own")

    @pytest.mark.parametrize("data, code, packet, remedy", [
        (rawmqtt.connect_packet("again", rawmqtt.V5), 0x82, "CONNECT", "broke a rule of MQTT"),
        (b"\xc1\x00", 0x81, "PINGREQ", "broke a rule of MQTT"),
        (rawmqtt.publish_packet("t", b"x" * 131_073, version=rawmqtt.V5), 0x95, "PUBLISH", "131072 bytes"),
        (b"\x30" + rawmqtt.varint(149_505) + rawmqtt.text("big"), 0x95, "PUBLISH", "149504"),
        (rawmqtt.publish_packet("a/+/b", b"x", version=rawmqtt.V5), 0x90, "PUBLISH", "no + and #"),
        (rawmqtt.publish_packet("a", b"x", version=rawmqtt.V5, props={0x23: 9}), 0x94, "PUBLISH", "1 to 8"),
        (rawmqtt.packet(rawmqtt.SUBSCRIBE, b"\x00\x01" + rawmqtt.properties({0x0B: 5}) + rawmqtt.text("a") + b"\x01", 2), 0xA1,
         "SUBSCRIBE", "subscription identifiers"),
        (rawmqtt.packet(rawmqtt.AUTH, b""), 0x82, "AUTH", "broke a rule of MQTT"),
    ], ids=["second CONNECT", "malformed", "payload", "packet", "topic", "alias", "identifier", "AUTH"])  # fmt: skip
    def test_client_error(self, server, thing, journal, unique, data, code, packet, remedy):
        """What no decent library sends."""
        client_id = unique("wrong")
        client = rawmqtt.Client.open(server.address("mqtts"), thing, client_id, rawmqtt.V5)
        client.send(data)
        assert client.expect(rawmqtt.DISCONNECT).code == code
        told = journal.told(client_id, eventType="Disconnect", disconnectReason="CLIENT_ERROR")
        assert (told["reasonCode"], told["packet"]) == (code, packet)
        assert told["reason"] != "INTERNAL_SERVER_ERROR", "the client's fault"
        told.explains(" ", remedy)
        if packet == "PUBLISH" and "131072" in remedy:
            assert told["reason"] == "PAYLOAD_LIMIT_EXCEEDED"
            assert told["details"] == "Message payload exceeds size limit for message type."

    @VERSIONS
    def test_qos_2(self, server, thing, journal, unique, version):
        client_id = unique("qos2")
        client = Client.open(server, thing, client_id, version)
        client.send("t", "x", qos=2)
        assert client.closed.wait(20)
        told = journal.told(client_id, eventType="Disconnect", disconnectReason="CLIENT_ERROR")
        assert told["reasonCode"] == 0x9B
        told.explains("QoS 2", "use QoS 1")

    @VERSIONS
    def test_deactivated_certificate(self, server, journal, unique, version):
        one = server.create_thing(unique("deactivated"))
        client = Client.open(server, one, one.name, version)
        server.set_certificate_status(one, "INACTIVE")
        assert client.closed.wait(20)
        told = journal.told(one.name, eventType="Disconnect", disconnectReason="SERVER_INITIATED_DISCONNECT")
        told.explains("certificate", "aws iot update-certificate --new-status ACTIVE")

    @VERSIONS
    def test_server_stopped(self, new_server, unique, version):
        """The explanation survives the server it is about."""
        server = new_server().start()
        one = server.create_thing("stopped")
        client = Client.open(server, one, "stopped", version)
        server.stop()
        assert client.closed.wait(20)
        if version == V5:
            assert client.end[0] == 0x8B
        server.start()
        journal = Journal(server)
        told = journal.told("stopped", eventType="Disconnect", disconnectReason="SERVER_INITIATED_DISCONNECT")
        told.explains(" ", "connect again by themselves")
        journal.close()
        server.stop()

    @pytest.mark.parametrize("version", ["311", "5"])
    def test_keep_alive(self, silent, version):
        """The clients stand still since the run began: 45 seconds, most of which the other tests have used."""
        told = silent.told("silent-" + version, timeout=60, eventType="Disconnect", disconnectReason="MQTT_KEEP_ALIVE_TIMEOUT")
        assert told["reasonCode"] == 0x8D
        told.explains(" ", ["silent for 1.5 times its keep-alive", "PINGREQ"])


def test_a_message_too_large_for_its_receiver(server, thing, journal, unique):
    """Dropped for one client: the publisher's PUBACK says nothing of it."""
    client_id, topic = unique("small"), unique("why/small")
    with Client.open(server, thing, client_id, V5, MaximumPacketSize=512) as small:
        assert small.subscribe(topic) == [1]
        mosquitto.publish(server, thing, topic, "x" * 600)
        mosquitto.publish(server, thing, topic, "fits")
        assert small.texts(1) == ["fits"]
    told = journal.told(client_id, eventType="Publish-Out", reason="OVER_MAXIMUM_PACKET")
    assert told["topicName"] == topic
    told.explains("larger than the Maximum Packet Size", "Maximum Packet Size")


def test_nothing_is_known(server):
    story = json.loads(server.run("why", "never-seen", "--output", "json").output())
    assert story["entries"] == []
    assert "nothing" in server.run("why", "never-seen").output().lower()


def test_repeats_are_one_entry(client, journal):
    """The same refusal again and again: one entry with a count."""
    client_id, one = client(V5)
    for _ in range(5):
        assert one.publish("elsewhere", "no")[0] == NOT_AUTHORIZED
    told = journal.told(client_id, eventType="Publish-In", status="Failure")
    assert told["count"] == 5 and told["firstSeen"] <= told["timestamp"]
    assert "5 times" in told.text
    one.disconnect()


def test_why_needs_a_server(tmp_path):
    process = Process([BINARY, "why", "anybody", "--data-dir", tmp_path / "none"])
    assert process.finish() != 0
    assert len(process.lines) == 1 and "thingwire" in process.lines[0]
