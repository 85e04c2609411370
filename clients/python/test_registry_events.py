"""Registry events: boto3 turns them on and changes things, paho hears of it on $aws/events/…, in AWS's words."""

import datetime
import json
import re
import time

import pytest
from botocore.exceptions import ClientError
from harness import aws
from harness.paho import V3, V5, Client
from harness.server import arn

UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KINDS = ["THING", "THING_GROUP", "THING_TYPE", "THING_GROUP_MEMBERSHIP", "THING_GROUP_HIERARCHY", "THING_TYPE_ASSOCIATION"]
OTHERS = ["JOB", "JOB_EXECUTION", "POLICY", "CERTIFICATE", "CA_CERTIFICATE"]


@pytest.fixture
def iot(server):
    """boto3's client, with all events on while the test runs."""
    iot = aws.client(server, "iot")
    turn(iot, True, *KINDS, *OTHERS)
    yield iot
    turn(iot, False, *KINDS, *OTHERS)


def turn(iot, on, *kinds):
    iot.update_event_configurations(eventConfigurations={kind: {"Enabled": on} for kind in kinds})


class Events:
    """What a subscriber hears, in order."""

    def __init__(self, client):
        self._client, self._heard, self._ids = client, 0, set()

    def next(self, topic, **fields):
        """The next event must be this one, with exactly these fields beside its id and its time."""
        message = self._client.inbox.wait(self._heard + 1)[self._heard]
        self._heard += 1
        event = json.loads(message.payload)
        assert (message.topic, message.qos, message.retain) == ("$aws/events/" + topic, 0, False)
        assert abs(event.pop("timestamp") - time.time() * 1000) < 60_000
        event_id = event.pop("eventId")
        assert UUID.fullmatch(event_id) and event_id not in self._ids
        self._ids.add(event_id)
        assert event == fields


@pytest.fixture(params=[V3, V5], ids=["v3", "v5"])
def events(request, server, thing, unique, iot):
    with Client.open(server, thing, unique("watcher"), request.param) as client:
        assert client.subscribe("$aws/events/thing/#", "$aws/events/thingType/#", "$aws/events/thingTypeAssociation/#") == [1, 1, 1]
        assert client.subscribe("$aws/events/thingGroup/#", "$aws/events/thingGroupMembership/#") == [1, 1]
        assert client.subscribe("$aws/events/thingGroupHierarchy/#") == [1]
        yield Events(client)


def told(kind, operation, **fields):
    return {"eventType": kind + "_EVENT", "operation": operation, "accountId": "000000000000", **fields}


def test_the_life_of_a_thing_and_its_type(iot, events, unique):
    lamp, lamps = unique("lamp"), unique("lamps")
    properties = {"thingTypeDescription": "they shine", "searchableAttributes": ["watt"]}
    type_id = iot.create_thing_type(thingTypeName=lamps, thingTypeProperties=properties)["thingTypeId"]
    about = {"thingTypeId": type_id, "thingTypeName": lamps, "searchableAttributes": ["watt"], "description": "they shine"}
    events.next(
        "thingType/{}/created".format(lamps), **told("THING_TYPE", "CREATED", isDeprecated=False, deprecationDate=None, **about)
    )

    thing_id = iot.create_thing(thingName=lamp)["thingId"]
    name = {"thingId": thing_id, "thingName": lamp}
    bare = {"versionNumber": 1, "thingTypeName": None, "attributes": {}, **name}
    events.next("thing/{}/created".format(lamp), **told("THING", "CREATED", **bare))

    iot.update_thing(thingName=lamp, thingTypeName=lamps, attributePayload={"attributes": {"watt": "7", "floor": "2"}})
    full = {"versionNumber": 2, "thingTypeName": lamps, "attributes": {"watt": "7", "floor": "2"}, **name}
    events.next("thing/{}/updated".format(lamp), **told("THING", "UPDATED", **full))
    association = "thingTypeAssociation/thing/{}/thingType/{}/".format(lamp, lamps)
    pair = {"eventType": "THING_TYPE_ASSOCIATION_EVENT", "thingTypeName": lamps, **name}
    events.next(association + "added", operation="ADDED", **pair)

    iot.delete_thing(thingName=lamp)
    events.next(association + "removed", operation="REMOVED", **pair)
    events.next("thing/{}/deleted".format(lamp), **told("THING", "DELETED", **full))

    iot.deprecate_thing_type(thingTypeName=lamps)
    metadata = iot.describe_thing_type(thingTypeName=lamps)["thingTypeMetadata"]
    epoch = datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
    date = round((metadata["deprecationDate"] - epoch) / datetime.timedelta(milliseconds=1))
    events.next(
        "thingType/{}/updated".format(lamps), **told("THING_TYPE", "UPDATED", isDeprecated=True, deprecationDate=date, **about)
    )


def test_the_life_of_a_group_and_its_members(iot, events, unique):
    house, floor, lamp = unique("house"), unique("floor"), unique("lamp")
    house_id = iot.create_thing_group(thingGroupName=house)["thingGroupId"]
    bare = {"parentGroupName": None, "parentGroupId": None, "rootToParentThingGroups": []}
    static = {"dynamicGroupMappingId": None}
    events.next(
        "thingGroup/{}/created".format(house),
        **told("THING_GROUP", "CREATED", thingGroupId=house_id, thingGroupName=house, versionNumber=1, description="",
               attributes={}, **bare, **static),
    )  # fmt: skip

    properties = {"thingGroupDescription": "the first", "attributePayload": {"attributes": {"n": "1"}}}
    floor_id = iot.create_thing_group(thingGroupName=floor, parentGroupName=house, thingGroupProperties=properties)["thingGroupId"]
    about = {
        "thingGroupId": floor_id, "thingGroupName": floor, "parentGroupName": house, "parentGroupId": house_id,
        "rootToParentThingGroups": [{"groupArn": arn("thinggroup/" + house), "groupId": house_id}], **static,
    }  # fmt: skip
    first = {"versionNumber": 1, "description": "the first", "attributes": {"n": "1"}}
    events.next("thingGroup/{}/created".format(floor), **told("THING_GROUP", "CREATED", **first, **about))
    place = "thingGroupHierarchy/thingGroup/{}/childThingGroup/{}/".format(house, floor)
    pair = {"thingGroupId": house_id, "thingGroupName": house, "childGroupId": floor_id, "childGroupName": floor}
    events.next(place + "added", **told("THING_GROUP_HIERARCHY", "ADDED", **pair))

    iot.update_thing_group(thingGroupName=floor, thingGroupProperties={"thingGroupDescription": "the second"})
    second = dict(first, versionNumber=2, description="the second")
    events.next("thingGroup/{}/updated".format(floor), **told("THING_GROUP", "UPDATED", **second, **about))

    turn(iot, False, "THING")
    thing_id = iot.create_thing(thingName=lamp)["thingId"]
    iot.add_thing_to_thing_group(thingGroupName=floor, thingName=lamp)
    membership = "thingGroupMembership/thingGroup/{}/thing/{}/".format(floor, lamp)
    message = events._client.inbox.wait(events._heard + 1)[events._heard]
    membership_id = json.loads(message.payload)["membershipId"]
    assert UUID.fullmatch(membership_id)
    member = {
        "groupArn": arn("thinggroup/" + floor), "groupId": floor_id, "thingArn": arn("thing/" + lamp), "thingId": thing_id,
        "membershipId": membership_id,
    }  # fmt: skip
    events.next(membership + "added", **told("THING_GROUP_MEMBERSHIP", "ADDED", **member))
    iot.delete_thing_group(thingGroupName=floor)
    events.next(membership + "removed", **told("THING_GROUP_MEMBERSHIP", "REMOVED", **member))
    events.next(place + "removed", **told("THING_GROUP_HIERARCHY", "REMOVED", **pair))
    events.next("thingGroup/{}/deleted".format(floor), **told("THING_GROUP", "DELETED", **second, **about))


def test_the_configurations(new_server):
    server = new_server().start()
    iot = aws.client(server, "iot")
    fresh = iot.describe_event_configurations()
    assert fresh["eventConfigurations"] == {kind: {"Enabled": False} for kind in KINDS + OTHERS}
    turn(iot, True, "THING", "CERTIFICATE")
    server.kill()
    server.start()
    iot = aws.client(server, "iot")
    kept = iot.describe_event_configurations()
    assert kept["eventConfigurations"] == {kind: {"Enabled": kind in ("THING", "CERTIFICATE")} for kind in KINDS + OTHERS}
    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs(now - kept["creationDate"]) < datetime.timedelta(minutes=1) and kept["lastModifiedDate"] == kept["creationDate"]
    with pytest.raises(ClientError) as refused:
        turn(iot, True, "LAMP")
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"
