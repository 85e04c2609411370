"""The control plane at work on live connections: just-in-time registration, thing groups, thing types, CA certificates."""

import json
import time

import pytest
from harness import rawmqtt
from harness.certificates import Authority
from harness.rawmqtt import V5
from harness.server import arn, policy, statement


def refused(server, files, client_id):
    """Expects that the connection ends before CONNACK."""
    with pytest.raises((rawmqtt.Closed, OSError)):
        client = rawmqtt.Client(rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(files)))
        try:
            client.connect(client_id)
        finally:
            client.close()


def test_just_in_time_registration(server, thing, unique, tmp_path):
    """Two refused attempts, two events, an activation by whoever reads them, and the device is in."""
    factory = Authority("factory")
    _, device = factory.issue("device", tmp_path, thing.ca)
    _, alone = factory.issue("alone", tmp_path, thing.ca, chain=False)
    code = server.admin("GET", "/registrationcode")["registrationCode"]
    proof, _ = factory.issue(code, tmp_path, thing.ca)
    body = {"caCertificate": factory.pem, "verificationCertificate": proof}
    ca = server.admin("POST", "/cacertificate?setAsActive=true&allowAutoRegistration=true", body)["certificateId"]

    watcher = rawmqtt.Client.open(server.address("mqtts"), thing, unique("watcher"))
    assert watcher.subscribe("$aws/events/certificates/registered/" + ca) == [1]
    refused(server, alone, "alone")  # it does not bring its CA along
    for _ in range(2):
        refused(server, device, "device")
        topic, payload, _, _ = watcher.expect(rawmqtt.PUBLISH).publish()
        event = json.loads(payload)
        assert abs(event.pop("timestamp") - time.time() * 1000) < 60_000
        assert abs(int(event.pop("certificateRegistrationTimestamp")) - time.time() * 1000) < 60_000
        assert topic == "$aws/events/certificates/registered/" + ca
        assert event == {
            "certificateId": device.certificate_id,
            "caCertificateId": ca,
            "certificateStatus": "PENDING_ACTIVATION",
            "awsAccountId": "000000000000",
        }
    description = server.admin("GET", "/certificates/" + device.certificate_id)["certificateDescription"]
    assert (description["status"], description["caCertificateId"]) == ("PENDING_ACTIVATION", ca)

    server.create_policy("jitr", policy(statement("Allow", "iot:*", "*")))
    server.admin("PUT", "/target-policies/jitr", {"target": arn("cert/" + device.certificate_id)})
    server.admin("PUT", "/certificates/{}?newStatus=ACTIVE".format(device.certificate_id))
    with rawmqtt.Client.open(server.address("mqtts"), device, "device") as client:
        # The CA may go: what it introduced stays.
        server.admin("PUT", "/cacertificate/{}?newStatus=INACTIVE".format(ca), {})
        server.admin("DELETE", "/cacertificate/" + ca)
        client.expect_alive()
        begin = time.monotonic()
        server.admin("PUT", "/certificates/{}?newStatus=INACTIVE".format(device.certificate_id))
        client.expect_closed(timeout=1)
        assert time.monotonic() - begin < 1
    refused(server, device, "device")
    watcher.expect_alive()  # an inactive certificate is no news


def test_a_group_gives_and_takes_rights_on_a_live_connection(server, unique):
    connect = policy(statement("Allow", ["iot:Connect", "iot:Subscribe", "iot:Receive"], "*"))
    lamp = server.create_thing(unique("lamp"), connect)
    house, floor = unique("house"), unique("floor")
    server.admin("POST", "/thing-groups/" + house, {})
    server.admin("POST", "/thing-groups/" + floor, {"parentGroupName": house})
    publisher = unique("publisher")
    server.create_policy(publisher, policy(statement("Allow", "iot:Publish", arn("topic/${iot:Connection.Thing.ThingName}/*"))))
    server.admin("PUT", "/target-policies/" + publisher, {"target": arn("thinggroup/" + house)})
    membership = {"thingGroupName": floor, "thingName": lamp.name}

    with rawmqtt.Client.open(server.address("mqtts"), lamp, lamp.name, V5) as client:

        def allowed():
            client.publish(lamp.name + "/a", b"x", qos=1)
            return client.expect(rawmqtt.PUBACK).code != 0x87

        def within_a_second(want):
            deadline = time.monotonic() + 1
            while allowed() != want:
                assert time.monotonic() < deadline, "the change is not felt within a second"

        assert not allowed()
        server.admin("PUT", "/thing-groups/addThingToThingGroup", membership)
        within_a_second(True)
        server.admin("PUT", "/thing-groups/removeThingFromThingGroup", membership)
        within_a_second(False)
        server.admin("PUT", "/thing-groups/addThingToThingGroup", membership)
        within_a_second(True)
        server.admin("DELETE", "/thing-groups/" + floor)
        within_a_second(False)


def test_a_thing_type_is_a_variable(server, unique):
    kind = unique("kind")
    lamp = server.create_thing(unique("lamp"), policy(
        statement("Allow", "iot:Connect", "*"), statement("Allow", "iot:Publish", arn("topic/${iot:Connection.Thing.ThingTypeName}")),
    ))  # fmt: skip
    server.admin("POST", "/thing-types/" + kind, {})
    server.admin("PATCH", "/things/" + lamp.name, {"thingTypeName": kind})
    with rawmqtt.Client.open(server.address("mqtts"), lamp, lamp.name, V5) as client:
        client.publish(kind, b"x", qos=1)
        assert client.expect(rawmqtt.PUBACK).code != 0x87
        client.publish("another", b"x", qos=1)
        assert client.expect(rawmqtt.PUBACK).code == 0x87


def test_what_authorization_says_is_what_the_gateway_does(server, unique):
    lamp = server.create_thing(unique("lamp"), policy(
        statement("Allow", "iot:Connect", arn("client/${iot:Connection.Thing.ThingName}")),
        statement("Allow", "iot:Publish", arn("topic/a/*")), statement("Deny", "iot:Publish", arn("topic/a/secret")),
    ))  # fmt: skip
    topics = {"a/b": "ALLOWED", "a/secret": "EXPLICIT_DENY", "c": "IMPLICIT_DENY"}
    results = server.admin("POST", "/test-authorization?clientId=" + lamp.name, {
        "principal": arn("cert/" + lamp.certificate_id),
        "authInfos": [{"actionType": "PUBLISH", "resources": [arn("topic/" + t)]} for t in topics],
    })["authResults"]  # fmt: skip
    assert [r["authDecision"] for r in results] == list(topics.values())
    with rawmqtt.Client.open(server.address("mqtts"), lamp, lamp.name, V5) as client:
        for topic, decision in topics.items():
            client.publish(topic, b"x", qos=1)
            assert (client.expect(rawmqtt.PUBACK).code != 0x87) == (decision == "ALLOWED")
