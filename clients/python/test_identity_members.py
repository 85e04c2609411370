"""Every member of the operations of IAM, STS and CloudFormation that are there, outside the rules that the SDK's own model
has for it, and absent: boto3 checks none of that here, so the server has to."""

import json

import pytest
from botocore.exceptions import ClientError
from harness import aws
from harness.server import policy, statement
from test_control_plane_members import bad_scalars

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]})
TEMPLATE = json.dumps({"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST)}}}})
DOCUMENT = json.dumps(policy(statement("Allow", "iot:*", "*")))
# What answers something else than ValidationError, because AWS has another class for it, or because it is absent.
OTHERS = {
    "PolicyDocument": {"MalformedPolicyDocument"},
    "AssumeRolePolicyDocument": {"MalformedPolicyDocument"},
    "Policy": {"MalformedPolicyDocument"},
    "SourceIdentity": {"NotImplemented"},
    "MaxSigninSessionDuration": {"NotImplemented"},
    "TemplateURL": {"NotImplemented"},
    "RoleARN": {"NotImplemented"},
    "StackPolicyBody": {"NotImplemented"},
    "StackPolicyURL": {"NotImplemented"},
    "StackPolicyDuringUpdateBody": {"NotImplemented"},
    "StackPolicyDuringUpdateURL": {"NotImplemented"},
    "StackSetName": {"NotImplemented"},
    "DeploymentMode": {"NotImplemented"},
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
        "create_role", "get_role", "list_roles", "update_role", "update_role_description", "update_assume_role_policy", "delete_role",
        "put_role_policy", "get_role_policy", "list_role_policies", "delete_role_policy", "attach_role_policy", "detach_role_policy",
        "list_attached_role_policies", "list_instance_profiles_for_role", "tag_role", "untag_role", "list_role_tags",
    ),
    "sts": ("get_caller_identity", "get_session_token", "assume_role"),
    "cloudformation": (
        "create_stack", "update_stack", "delete_stack", "update_termination_protection", "describe_stacks", "list_stacks",
        "describe_stack_events", "describe_stack_resource", "describe_stack_resources", "list_stack_resources", "get_template",
        "get_template_summary", "validate_template", "create_change_set", "describe_change_set", "list_change_sets",
        "execute_change_set", "delete_change_set",
    ),
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
    role = clients["iam"].create_role(RoleName="cloud", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    stack = {"StackName": "st", "TemplateBody": TEMPLATE, "Capabilities": ["CAPABILITY_IAM"]}
    clients["cloudformation"].create_stack(**stack)
    clients["cloudformation"].create_change_set(ChangeSetName="set", **stack)
    return {
        "UserName": "ann", "PolicyName": "p", "PolicyDocument": DOCUMENT, "AccessKeyId": key, "Status": "Active",
        "RoleName": "cloud", "AssumeRolePolicyDocument": TRUST, "Description": "d", "Tags": [{"Key": "k", "Value": "v"}],
        "TagKeys": ["k"], "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "RoleArn": role, "RoleSessionName": "s1",
        "StackName": "st", "ChangeSetName": "set", "LogicalResourceId": "Role", "EnableTerminationProtection": False,
    }  # fmt: skip


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
            if shape.type_name in ("string", "boolean") and fault == "another type":
                continue  # in a form everything is a string, and boto3 writes true or false for everything else
            code = refusal(getattr(client, operation), **{**needed, member: value})
            allowed = {"ValidationError"} | OTHERS.get(member, set())
            assert code in allowed, "{}: {} {}: {}".format(operation, member, fault, code)
        if member in model.required_members:
            del needed[member]
            assert refusal(getattr(client, operation), **needed) == "ValidationError", "{} without {}".format(operation, member)
