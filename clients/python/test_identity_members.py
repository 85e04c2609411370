"""Every member of the operations of IAM and STS that are there, outside the rules that the SDK's own model has for it, and
absent: boto3 checks none of that here, so the server has to."""

import json

import pytest
from botocore.exceptions import ClientError
from harness import aws
from harness.server import policy, statement
from test_control_plane_members import bad_scalars

DOCUMENT = json.dumps(policy(statement("Allow", "iot:*", "*")))
# What answers something else than ValidationError, because AWS has another class for it, or because it is absent.
OTHERS = {
    "PolicyDocument": {"MalformedPolicyDocument"},
    "PermissionsBoundary": {"NotImplemented"},
    "Tags": {"NotImplemented"},
    "SerialNumber": {"NotImplemented"},
    "TokenCode": {"NotImplemented"},
    "MinimumSessionTokenSize": {"NotImplemented"},
    "Path": {"NotImplemented"},  # other than "/"
}
OPERATIONS = {
    "iam": (
        "create_user", "get_user", "list_users", "delete_user", "create_access_key", "list_access_keys", "update_access_key",
        "delete_access_key", "put_user_policy", "get_user_policy", "list_user_policies", "delete_user_policy",
    ),
    "sts": ("get_caller_identity", "get_session_token"),
}  # fmt: skip
ALL = [(service, operation) for service, operations in OPERATIONS.items() for operation in operations]


@pytest.fixture(scope="module")
def clients(server):
    return {service: aws.client(server, service, parameter_validation=False) for service in OPERATIONS}


@pytest.fixture(scope="module")
def valid(clients):
    clients["iam"].create_user(UserName="ann")
    clients["iam"].put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=DOCUMENT)
    key = clients["iam"].create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
    return {"UserName": "ann", "PolicyName": "p", "PolicyDocument": DOCUMENT, "AccessKeyId": key, "Status": "Active"}


def refusal(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
        pytest.fail("{} is accepted".format(parameters))
    answer = caught.value.response
    assert answer["ResponseMetadata"]["RequestId"] and answer["Error"]["Message"]
    return answer["Error"]["Code"]


@pytest.mark.parametrize("service, operation", ALL)
def test_every_member(clients, valid, service, operation):
    client = clients[service]
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
    for member, shape in model.members.items() if model else ():
        needed = {required: valid[required] for required in model.required_members}
        for fault, value in bad_scalars(shape):
            if shape.type_name == "string" and fault == "another type":
                continue  # in a form everything is a string
            code = refusal(getattr(client, operation), **{**needed, member: value})
            allowed = {"ValidationError"} | OTHERS.get(member, set())
            assert code in allowed, "{}: {} {}: {}".format(operation, member, fault, code)
        if member in model.required_members:
            del needed[member]
            assert refusal(getattr(client, operation), **needed) == "ValidationError", "{} without {}".format(operation, member)
