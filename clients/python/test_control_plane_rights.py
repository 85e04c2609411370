"""Calls about two resources ask for both, as AWS's Service Authorization Reference has them: a user who may use only one of
them is refused and told which one is missing; who may use both is served."""

import json

import pytest
from harness import aws
from harness.certificates import self_made
from harness.journal import Journal
from harness.server import arn, policy, statement

# Operation: its parameters, and the kinds of resources that it is about, by their names in the parameters.
TWO = {
    "add_thing_to_thing_group": ({"thingName": "thing", "thingGroupName": "thinggroup"}, ["thing", "thinggroup"]),
    "remove_thing_from_thing_group": ({"thingName": "thing", "thingGroupName": "thinggroup"}, ["thing", "thinggroup"]),
    "update_thing_groups_for_thing": ({"thingName": "thing", "thingGroupsToAdd": ["thinggroup"]}, ["thing", "thinggroup"]),
    "add_thing_to_billing_group": ({"thingName": "thing", "billingGroupName": "billinggroup"}, ["thing", "billinggroup"]),
    "remove_thing_from_billing_group": ({"thingName": "thing", "billingGroupName": "billinggroup"}, ["thing", "billinggroup"]),
    "create_thing": ({"thingName": "new", "billingGroupName": "billinggroup"}, ["new", "billinggroup"]),
}


@pytest.fixture(scope="module")
def iot(server):
    return aws.client(server, "iot")


@pytest.fixture(scope="module")
def journal(server):
    journal = Journal(server)
    yield journal
    journal.close()


@pytest.fixture
def names(iot, unique):
    """Names of a thing, a thing group and a billing group, and of a thing that is to be."""
    names = {kind: unique(kind) for kind in ("thing", "thinggroup", "billinggroup", "new")}
    iot.create_thing(thingName=names["thing"])
    iot.create_thing_group(thingGroupName=names["thinggroup"])
    iot.create_billing_group(billingGroupName=names["billinggroup"])
    return names


def named(params, names):
    return {k: [names[n] for n in v] if isinstance(v, list) else names[v] for k, v in params.items()}


def action_of(iot, operation):
    return "iot:" + iot.meta.method_to_api_mapping[operation]


@pytest.mark.parametrize("operation", TWO)
def test_each_resource_is_asked_for(server, iot, names, unique, operation):
    params, kinds = TWO[operation]
    params, action = named(params, names), action_of(iot, operation)
    resources = [arn("{}/{}".format("thing" if kind == "new" else kind, names[kind])) for kind in kinds]
    for missing in range(len(resources)):
        allowed = resources[:missing] + resources[missing + 1 :]
        user = aws.client(server, "iot", aws.create_user(server, unique("half"), statement("Allow", action, allowed)))
        with pytest.raises(user.exceptions.ClientError) as caught:
            getattr(user, operation)(**params)
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
        assert "to perform: {} on resource: {}".format(action, resources[missing]) in caught.value.response["Error"]["Message"]
    user = aws.client(server, "iot", aws.create_user(server, unique("whole"), statement("Allow", action, resources)))
    getattr(user, operation)(**params)


def test_an_explicit_deny_of_one_wins(server, iot, names, unique):
    keys = aws.create_user(
        server, unique("denied"), statement("Allow", "iot:*", "*"), statement("Deny", "iot:Add*", arn("thinggroup/*")),
    )  # fmt: skip
    user = aws.client(server, "iot", keys)
    user.add_thing_to_billing_group(thingName=names["thing"], billingGroupName=names["billinggroup"])
    with pytest.raises(user.exceptions.ClientError, match="on resource: " + arn("thinggroup/")):
        user.add_thing_to_thing_group(thingName=names["thing"], thingGroupName=names["thinggroup"])


def test_attachments_ask_for_the_certificate(server, iot, names, unique, tmp_path, journal):
    """The right to attach to one certificate is none to attach to another, whatever policy and thing it is about; the journal
    says who was refused and why."""
    certificates = (self_made(tmp_path, server.ca, -1, 1)[1] for _ in range(2))
    mine, yours = (iot.register_certificate_without_ca(certificatePem=pem)["certificateArn"] for pem in certificates)
    iot.create_policy(policyName=names["new"], policyDocument=json.dumps(policy(statement("Allow", "iot:*", "*"))))
    user = aws.client(server, "iot", aws.create_user(server, unique("fitter"), statement("Allow", "iot:Attach*", mine)))
    for operation, params, principal in (
        ("attach_policy", {"policyName": names["new"]}, "target"),
        ("attach_principal_policy", {"policyName": names["new"]}, "principal"),
        ("attach_thing_principal", {"thingName": names["thing"]}, "principal"),
    ):
        getattr(user, operation)(**params, **{principal: mine})
        with pytest.raises(user.exceptions.ClientError, match="on resource: " + yours):
            getattr(user, operation)(**params, **{principal: yours})
        entry = journal.wait(reason="AUTHORIZATION_FAILURE", packet=action_of(iot, operation))
        assert yours in entry["cause"] and 'policy "all", statement 0' in entry["remedy"]
    assert iot.list_principal_things(principal=mine)["things"] == [names["thing"]]
    assert iot.list_principal_things(principal=yours)["things"] == []
