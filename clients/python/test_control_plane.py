"""The control plane as operators use it, with an unmodified boto3 whose requests are signed: whole lives of things, types,
groups, billing groups, tags and policies, attachments in both directions, and lists of more than 300 items by every token."""

import json

import pytest
from harness import aws
from harness.certificates import self_made
from harness.server import arn, policy, statement

MANY = 301
DOCUMENT = json.dumps(policy(statement("Allow", "iot:*", "*")))


@pytest.fixture(scope="module")
def iot(server):
    return aws.client(server, "iot")


@pytest.fixture
def certificate(iot, server, tmp_path):
    """The ARN of an active certificate."""
    _, pem = self_made(tmp_path, server.ca, -1, 1)
    return iot.register_certificate_without_ca(certificatePem=pem, status="ACTIVE")["certificateArn"]


def tags_of(iot, resource):
    return {tag["Key"]: tag["Value"] for tag in iot.list_tags_for_resource(resourceArn=resource)["tags"]}


def names(pages, member, name=None):
    return [item[name] if name else item for page in pages for item in page[member]]


def test_the_life_of_a_thing(iot, unique, certificate):
    thing, bulb, group, bill = unique("lamp"), unique("bulb"), unique("house"), unique("north")
    iot.create_thing_type(thingTypeName=bulb)
    iot.create_thing_group(thingGroupName=group)
    iot.create_billing_group(billingGroupName=bill)
    wanted = {
        "thingName": thing, "thingTypeName": bulb, "billingGroupName": bill,
        "attributePayload": {"attributes": {"a": "1", "b": "2", "c": "3", "d": "4"}},
    }  # fmt: skip
    made = iot.create_thing(**wanted)
    assert made["thingArn"] == arn("thing/" + thing)
    assert iot.create_thing(**wanted)["thingId"] == made["thingId"]
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException) as caught:
        iot.create_thing(thingName=thing)
    assert (caught.value.response["resourceId"], caught.value.response["resourceArn"]) == (made["thingId"], made["thingArn"])

    iot.update_thing(thingName=thing, expectedVersion=1, attributePayload={"attributes": {"a": "", "b": "9"}, "merge": True})
    described = iot.describe_thing(thingName=thing)
    del described["ResponseMetadata"]
    assert described == {
        "thingName": thing, "thingId": made["thingId"], "thingArn": made["thingArn"], "defaultClientId": thing, "version": 2,
        "thingTypeName": bulb, "billingGroupName": bill, "attributes": {"b": "9", "c": "3", "d": "4"},
    }  # fmt: skip
    listed = iot.list_things(thingTypeName=bulb, attributeName="b", attributeValue="9")["things"]
    assert [t["thingName"] for t in listed] == [thing]

    iot.add_thing_to_thing_group(thingGroupName=group, thingArn=made["thingArn"])
    iot.attach_thing_principal(thingName=thing, principal=certificate)
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.delete_thing(thingName=thing)
    iot.detach_thing_principal(thingName=thing, principal=certificate)
    with pytest.raises(iot.exceptions.VersionConflictException):
        iot.delete_thing(thingName=thing, expectedVersion=1)
    iot.delete_thing(thingName=thing, expectedVersion=2)
    iot.delete_thing(thingName=thing)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_thing(thingName=thing)
    assert iot.list_things_in_thing_group(thingGroupName=group)["things"] == []
    assert iot.list_things_in_billing_group(billingGroupName=bill)["things"] == []
    anew = iot.create_thing(thingName=thing)
    assert anew["thingId"] != made["thingId"]
    assert "billingGroupName" not in iot.describe_thing(thingName=thing)


def test_the_life_of_a_thing_type(iot, unique):
    bulb, thing = unique("bulb"), unique("lamp")
    properties = {"thingTypeDescription": "shines", "searchableAttributes": ["watt"]}
    made = iot.create_thing_type(thingTypeName=bulb, thingTypeProperties=properties)
    assert iot.create_thing_type(thingTypeName=bulb, thingTypeProperties=properties)["thingTypeId"] == made["thingTypeId"]
    iot.update_thing_type(thingTypeName=bulb, thingTypeProperties={"thingTypeDescription": "glows"})
    described = iot.describe_thing_type(thingTypeName=bulb)
    assert described["thingTypeProperties"] == {"thingTypeDescription": "glows", "searchableAttributes": ["watt"]}
    assert described["thingTypeMetadata"]["deprecated"] is False
    iot.create_thing(thingName=thing, thingTypeName=bulb)
    iot.deprecate_thing_type(thingTypeName=bulb)
    assert iot.list_thing_types(thingTypeName=bulb)["thingTypes"][0]["thingTypeMetadata"]["deprecationDate"].year > 2020
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.create_thing(thingName=unique("lamp"), thingTypeName=bulb)
    with pytest.raises(iot.exceptions.InvalidRequestException, match="Please wait for 5 minutes"):
        iot.delete_thing_type(thingTypeName=bulb)
    iot.deprecate_thing_type(thingTypeName=bulb, undoDeprecate=True)
    iot.create_thing(thingName=unique("lamp"), thingTypeName=bulb)
    iot.update_thing(thingName=thing, removeThingType=True)
    assert "thingTypeName" not in iot.describe_thing(thingName=thing)


def test_the_life_of_a_thing_group(iot, unique):
    house, floor, attic, garden, thing = (unique(n) for n in ("house", "floor", "attic", "garden", "lamp"))
    iot.create_thing_group(thingGroupName=house)
    for below in (floor, attic):
        iot.create_thing_group(thingGroupName=below, parentGroupName=house)
    iot.create_thing_group(thingGroupName=garden)
    iot.create_thing(thingName=thing)
    properties = {"thingGroupDescription": "one", "attributePayload": {"attributes": {"n": "1"}}}
    assert iot.update_thing_group(thingGroupName=floor, thingGroupProperties=properties, expectedVersion=1)["version"] == 2
    described = iot.describe_thing_group(thingGroupName=floor)
    assert described["thingGroupProperties"] == properties
    assert described["thingGroupMetadata"]["parentGroupName"] == house
    assert described["thingGroupMetadata"]["rootToParentThingGroups"] == [{"groupName": house, "groupArn": arn("thinggroup/" + house)}]

    def groups():
        return sorted(g["groupName"] for g in iot.list_thing_groups_for_thing(thingName=thing)["thingGroups"])

    iot.update_thing_groups_for_thing(thingName=thing, thingGroupsToAdd=[floor, garden])
    assert groups() == sorted([floor, garden])
    with pytest.raises(iot.exceptions.InvalidRequestException, match="same hierarchy"):
        iot.update_thing_groups_for_thing(thingName=thing, thingGroupsToAdd=[attic], thingGroupsToRemove=[garden])
    assert groups() == sorted([floor, garden])
    iot.update_thing_groups_for_thing(thingName=thing, thingGroupsToAdd=[attic], thingGroupsToRemove=[floor, garden])
    assert groups() == [attic]
    assert iot.list_things_in_thing_group(thingGroupName=house)["things"] == []
    assert iot.list_things_in_thing_group(thingGroupName=house, recursive=True)["things"] == [thing]

    def listed(**filters):
        return sorted(g["groupName"] for g in iot.list_thing_groups(**filters)["thingGroups"])

    assert listed(parentGroup=house) == sorted([floor, attic])
    assert listed(parentGroup=house, namePrefixFilter="atti") == [attic]
    assert listed(namePrefixFilter=garden) == [garden]
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.delete_thing_group(thingGroupName=house)
    for group in (attic, floor, house, house):
        iot.delete_thing_group(thingGroupName=group)
    assert groups() == []


def test_the_life_of_a_billing_group(iot, unique):
    north, south, thing = unique("north"), unique("south"), unique("lamp")
    properties = {"billingGroupDescription": "up there"}
    made = iot.create_billing_group(billingGroupName=north, billingGroupProperties=properties)
    assert made["billingGroupArn"] == arn("billinggroup/" + north)
    again = iot.create_billing_group(billingGroupName=north, billingGroupProperties=properties)
    assert again["billingGroupId"] == made["billingGroupId"]
    iot.create_billing_group(billingGroupName=south)
    iot.create_thing(thingName=thing)
    iot.add_thing_to_billing_group(billingGroupName=north, thingName=thing)
    iot.add_thing_to_billing_group(billingGroupArn=made["billingGroupArn"], thingArn=arn("thing/" + thing))
    with pytest.raises(iot.exceptions.InvalidRequestException, match=north):
        iot.add_thing_to_billing_group(billingGroupName=south, thingName=thing)
    assert iot.list_things_in_billing_group(billingGroupName=north)["things"] == [thing]
    assert iot.describe_thing(thingName=thing)["billingGroupName"] == north
    assert iot.update_billing_group(billingGroupName=north, billingGroupProperties={}, expectedVersion=1)["version"] == 2
    described = iot.describe_billing_group(billingGroupName=north)
    assert (described["version"], described["billingGroupProperties"]) == (2, properties)
    assert described["billingGroupMetadata"]["creationDate"].year > 2020
    listed = iot.list_billing_groups(namePrefixFilter=north)["billingGroups"]
    assert listed == [{"groupName": north, "groupArn": made["billingGroupArn"]}]
    iot.remove_thing_from_billing_group(billingGroupName=south, thingName=thing)
    iot.remove_thing_from_billing_group(billingGroupName=north, thingName=thing)
    iot.add_thing_to_billing_group(billingGroupName=south, thingName=thing)
    for group in (north, south, south):
        iot.delete_billing_group(billingGroupName=group)
    assert "billingGroupName" not in iot.describe_thing(thingName=thing)


def test_the_life_of_tags(iot, unique):
    name, tags = unique("tagged"), [{"Key": "room", "Value": "Küche"}, {"Key": "empty", "Value": ""}]
    iot.create_thing_type(thingTypeName=name, tags=tags)
    iot.create_thing_group(thingGroupName=name, tags=tags)
    iot.create_billing_group(billingGroupName=name, tags=tags)
    iot.create_policy(policyName=name, policyDocument=DOCUMENT, tags=tags)
    for resource in [arn(kind + "/" + name) for kind in ("thingtype", "thinggroup", "billinggroup", "policy")]:
        assert tags_of(iot, resource) == {"room": "Küche", "empty": ""}
        iot.tag_resource(resourceArn=resource, tags=[{"Key": "room", "Value": "cellar"}, {"Key": "more", "Value": "1"}])
        iot.untag_resource(resourceArn=resource, tagKeys=["empty", "nothing"])
        assert tags_of(iot, resource) == {"room": "cellar", "more": "1"}
        iot.tag_resource(resourceArn=resource, tags=[{"Key": "k{}".format(i), "Value": "v"} for i in range(48)])
        with pytest.raises(iot.exceptions.LimitExceededException):
            iot.tag_resource(resourceArn=resource, tags=[{"Key": "k48", "Value": "v"}])
        assert len(tags_of(iot, resource)) == 50
    iot.delete_policy(policyName=name)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        tags_of(iot, arn("policy/" + name))
    iot.create_policy(policyName=name, policyDocument=DOCUMENT)
    assert tags_of(iot, arn("policy/" + name)) == {}


def test_a_policy_through_five_versions(iot, unique):
    name = unique("policy")
    documents = [json.dumps(policy(statement("Allow", "iot:Publish", arn("topic/{}".format(i))))) for i in range(7)]
    iot.create_policy(policyName=name, policyDocument=documents[1])
    for i in range(2, 6):
        made = iot.create_policy_version(policyName=name, policyDocument=documents[i], setAsDefault=i % 2 == 0)
        assert (made["policyVersionId"], made["isDefaultVersion"]) == (str(i), i % 2 == 0)
    with pytest.raises(iot.exceptions.VersionsLimitExceededException):
        iot.create_policy_version(policyName=name, policyDocument=documents[6])

    def versions():
        listed = iot.list_policy_versions(policyName=name)["policyVersions"]
        return [v["versionId"] for v in listed], [v["versionId"] for v in listed if v["isDefaultVersion"]]

    assert versions() == (["5", "4", "3", "2", "1"], ["4"])
    assert iot.get_policy(policyName=name)["policyDocument"] == documents[4]
    for i in range(1, 6):
        got = iot.get_policy_version(policyName=name, policyVersionId=str(i))
        assert (got["policyDocument"], got["isDefaultVersion"]) == (documents[i], i == 4)
    with pytest.raises(iot.exceptions.DeleteConflictException):
        iot.delete_policy_version(policyName=name, policyVersionId="4")
    iot.delete_policy_version(policyName=name, policyVersionId="5")
    assert iot.create_policy_version(policyName=name, policyDocument=documents[6])["policyVersionId"] == "6"
    iot.set_default_policy_version(policyName=name, policyVersionId="1")
    assert versions() == (["6", "4", "3", "2", "1"], ["1"])
    with pytest.raises(iot.exceptions.DeleteConflictException):
        iot.delete_policy(policyName=name)
    for i in ("2", "3", "4", "6"):
        iot.delete_policy_version(policyName=name, policyVersionId=i)
    iot.delete_policy(policyName=name)


def test_attachments_in_both_directions(iot, unique, certificate):
    name, thing, group = unique("policy"), unique("lamp"), unique("house")
    iot.create_policy(policyName=name, policyDocument=DOCUMENT)
    iot.create_thing(thingName=thing)
    house = iot.create_thing_group(thingGroupName=group)["thingGroupArn"]
    reference = {"policyName": name, "policyArn": arn("policy/" + name)}
    for attach, detach in (
        (lambda: iot.attach_policy(policyName=name, target=certificate), lambda: iot.detach_policy(policyName=name, target=certificate)),
        (
            lambda: iot.attach_principal_policy(policyName=name, principal=certificate),
            lambda: iot.detach_principal_policy(policyName=name, principal=certificate),
        ),
    ):
        attach()
        iot.attach_policy(policyName=name, target=house)
        assert iot.list_attached_policies(target=certificate)["policies"] == [reference]
        assert iot.list_principal_policies(principal=certificate)["policies"] == [reference]
        assert sorted(iot.list_targets_for_policy(policyName=name)["targets"]) == sorted([certificate, house])
        assert iot.list_policy_principals(policyName=name)["principals"] == [certificate]
        with pytest.raises(iot.exceptions.DeleteConflictException):
            iot.delete_policy(policyName=name)
        detach()
        assert iot.list_attached_policies(target=certificate)["policies"] == []
        assert iot.list_policy_principals(policyName=name)["principals"] == []

    for kind in ("NON_EXCLUSIVE_THING", "EXCLUSIVE_THING"):
        iot.attach_thing_principal(thingName=thing, principal=certificate, thingPrincipalType=kind)
        assert iot.list_thing_principals(thingName=thing)["principals"] == [certificate]
        assert iot.list_principal_things(principal=certificate)["things"] == [thing]
        principals = iot.list_thing_principals_v2(thingName=thing, thingPrincipalType=kind)["thingPrincipalObjects"]
        assert principals == [{"principal": certificate, "thingPrincipalType": kind}]
        things = iot.list_principal_things_v2(principal=certificate)["principalThingObjects"]
        assert things == [{"thingName": thing, "thingPrincipalType": kind}]
    other = unique("lamp")
    iot.create_thing(thingName=other)
    with pytest.raises(iot.exceptions.InvalidRequestException, match="exclusively"):
        iot.attach_thing_principal(thingName=other, principal=certificate)
    iot.detach_thing_principal(thingName=thing, principal=certificate)
    assert iot.list_principal_things_v2(principal=certificate)["principalThingObjects"] == []


@pytest.fixture(scope="module")
def many(iot, server, tmp_path_factory):
    """More of everything than one page holds."""
    folder, world = tmp_path_factory.mktemp("many"), {"things": [], "certificates": []}
    iot.create_thing_group(thingGroupName="many-root")
    for g in range(4):
        iot.create_thing_group(thingGroupName="many-{}".format(g), parentGroupName="many-root")
    iot.create_billing_group(billingGroupName="many")
    iot.create_policy(policyName="many", policyDocument=DOCUMENT)
    iot.create_thing(thingName="many")
    for i in range(MANY):
        name = "many-{:03}".format(i)
        _, pem = self_made(folder, server.ca, -1, 1)
        certificate = iot.register_certificate_without_ca(certificatePem=pem, status="ACTIVE")["certificateArn"]
        iot.create_thing(thingName=name, billingGroupName="many", attributePayload={"attributes": {"many": "yes"}})
        iot.create_thing_type(thingTypeName=name)
        iot.create_policy(policyName=name, policyDocument=DOCUMENT)
        iot.create_billing_group(billingGroupName=name)
        iot.create_thing_group(thingGroupName=name)
        iot.add_thing_to_thing_group(thingGroupName="many-{}".format(i % 4), thingName=name)
        iot.attach_policy(policyName="many", target=certificate)
        iot.attach_thing_principal(thingName="many", principal=certificate)
        world["things"].append(name)
        world["certificates"].append(certificate)
    for name in world["things"]:
        iot.attach_thing_principal(thingName=name, principal=world["certificates"][0])
    return world


# operation, parameters, the list's member, the member of its items, and what the list is to have at least
LISTS = {
    "list_things": ({}, "things", "thingName", "things"),
    "list_things by attribute": ({"attributeName": "many", "attributeValue": "yes"}, "things", "thingName", "things"),
    "list_thing_types": ({}, "thingTypes", "thingTypeName", "things"),
    "list_thing_groups": ({}, "thingGroups", "groupName", "things"),
    "list_billing_groups": ({}, "billingGroups", "groupName", "things"),
    "list_things_in_billing_group": ({"billingGroupName": "many"}, "things", None, "things"),
    "list_things_in_thing_group": ({"thingGroupName": "many-root", "recursive": True}, "things", None, "things"),
    "list_thing_principals": ({"thingName": "many"}, "principals", None, "certificates"),
    "list_thing_principals_v2": ({"thingName": "many"}, "thingPrincipalObjects", "principal", "certificates"),
    "list_principal_things": ({"principal": None}, "things", None, "things"),
    "list_principal_things_v2": ({"principal": None}, "principalThingObjects", "thingName", "things"),
    "list_policies": ({}, "policies", "policyName", "things"),
    "list_certificates": ({"ascendingOrder": True}, "certificates", "certificateArn", "certificates"),
    "list_targets_for_policy": ({"policyName": "many"}, "targets", None, "certificates"),
    "list_policy_principals": ({"policyName": "many"}, "principals", None, "certificates"),
}


@pytest.mark.parametrize("case", LISTS)
def test_lists_by_every_token(iot, many, case):
    """Each page size gives each item once, and each token gives its page as often as it is used."""
    operation = case.split()[0]
    params, member, item, wanted = LISTS[case]
    params = {name: many["certificates"][0] if value is None else value for name, value in params.items()}
    by_marker = operation in ("list_policies", "list_certificates", "list_targets_for_policy", "list_policy_principals")
    token, following, size = ("marker", "nextMarker", "pageSize") if by_marker else ("nextToken", "nextToken", "maxResults")
    whole = names(iot.get_paginator(operation).paginate(**params), member, item)
    assert len(whole) == len(set(whole)) and set(whole) >= set(many[wanted])
    for n in (7, 100, 250):
        got, tokens, page = [], [], {following: None}
        while following in page:
            begin = {token: page[following]} if page[following] else {}
            page = getattr(iot, operation)(**params, **begin, **{size: n})
            again = getattr(iot, operation)(**params, **begin, **{size: n})
            assert (page[member], page.get(following)) == (again[member], again.get(following))
            assert len(page[member]) <= n
            got += names([page], member, item)
            tokens.append(page.get(following))
        assert got == whole
        assert len(tokens) == len(set(tokens)) >= MANY / n
    with pytest.raises(iot.exceptions.InvalidRequestException, match="was not given by"):
        iot.list_outgoing_certificates(marker=tokens[0])
