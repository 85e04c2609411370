"""The control plane with the aws command, of today and of Debian 12: what scripts do, and the exit codes that they look at."""

import json

import pytest
from harness.aws import CLI, OLD_CLI
from harness.server import arn, policy, statement

DOCUMENT = json.dumps(policy(statement("Allow", "iot:*", "*")))


@pytest.fixture(params=["aws", "aws of Debian"])
def cli(request, server):
    return CLI(server, OLD_CLI if "Debian" in request.param else None)


def test_a_fleet_by_the_command(cli, unique):
    """A type, a billing group and a thing in them, tagged; and all of it gone again."""
    bulb, north, lamp, house = (unique(name) for name in ("bulb", "north", "lamp", "house"))
    made = cli.json("iot", "create-thing-type", "--thing-type-name", bulb, "--tags", "Key=room,Value=kitchen")
    cli.run("iot", "tag-resource", "--resource-arn", made["thingTypeArn"], "--tags", "Key=floor,Value=1", "Key=room,Value=cellar")
    cli.run("iot", "untag-resource", "--resource-arn", made["thingTypeArn"], "--tag-keys", "floor")
    tags = cli.json("iot", "list-tags-for-resource", "--resource-arn", made["thingTypeArn"])["tags"]
    assert tags == [{"Key": "room", "Value": "cellar"}]

    cli.run("iot", "create-billing-group", "--billing-group-name", north, "--billing-group-properties", "billingGroupDescription=up there")
    cli.run("iot", "create-thing", "--thing-name", lamp, "--thing-type-name", bulb, "--billing-group-name", north)
    assert cli.json("iot", "describe-thing", "--thing-name", lamp)["billingGroupName"] == north
    assert cli.json("iot", "list-things-in-billing-group", "--billing-group-name", north)["things"] == [lamp]
    cli.run("iot", "remove-thing-from-billing-group", "--billing-group-name", north, "--thing-name", lamp)
    cli.run("iot", "delete-billing-group", "--billing-group-name", north, "--expected-version", "1")

    cli.run("iot", "create-thing-group", "--thing-group-name", house)
    cli.run("iot", "update-thing-groups-for-thing", "--thing-name", lamp, "--thing-groups-to-add", house)
    cli.run("iot", "update-thing-groups-for-thing", "--thing-name", lamp, "--thing-groups-to-remove", house)
    assert cli.json("iot", "list-thing-groups-for-thing", "--thing-name", lamp)["thingGroups"] == []
    cli.run("iot", "delete-thing", "--thing-name", lamp)
    done = cli.run("iot", "describe-thing", "--thing-name", lamp, check=False)
    assert done.returncode == cli.refused
    assert "An error occurred (ResourceNotFoundException) when calling the DescribeThing operation" in done.stderr


def test_a_policy_of_a_certificate_by_the_command(cli, server, unique):
    """The deprecated calls, which scripts of years ago still make, and today's, see the same."""
    name = unique("policy")
    certificate = cli.json("iot", "create-keys-and-certificate", "--set-as-active")["certificateArn"]
    cli.run("iot", "create-policy", "--policy-name", name, "--policy-document", DOCUMENT)
    cli.run("iot", "attach-principal-policy", "--policy-name", name, "--principal", certificate)
    reference = [{"policyName": name, "policyArn": arn("policy/" + name)}]
    assert cli.json("iot", "list-principal-policies", "--principal", certificate)["policies"] == reference
    assert cli.json("iot", "list-attached-policies", "--target", certificate)["policies"] == reference
    assert cli.json("iot", "list-policy-principals", "--policy-name", name)["principals"] == [certificate]
    done = cli.run("iot", "delete-policy", "--policy-name", name, check=False)
    assert done.returncode == cli.refused and "(DeleteConflictException)" in done.stderr
    cli.run("iot", "detach-principal-policy", "--policy-name", name, "--principal", certificate)
    cli.run("iot", "delete-policy", "--policy-name", name)


def test_pages_by_the_command(cli, server, unique):
    """The command follows the tokens by itself, whatever the size of its pages."""
    prefix = unique("page")
    wanted = ["{}-{:02}".format(prefix, i) for i in range(23)]
    for name in wanted:
        server.admin("POST", "/billing-groups/" + name)
    for size in ("2", "23", "250"):
        listed = cli.json("iot", "list-billing-groups", "--name-prefix-filter", prefix, "--page-size", size)["billingGroups"]
        assert [group["groupName"] for group in listed] == wanted
