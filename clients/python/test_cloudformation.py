"""Stacks as AWS's tools make them: the one of the Sigfox how-to, its waiters, and everything that is refused."""

import json
import re

import botocore
import pytest
from botocore.exceptions import ClientError, WaiterError
from harness import aws
from harness.aws import CLI, OLD_CLI
from harness.server import arn, statement

ACCOUNT = "000000000000"
CLIS = pytest.mark.parametrize("path", [None, OLD_CLI], ids=["aws", "aws of Debian"])


@pytest.fixture(scope="module")
def cf(server):
    return aws.client(server, "cloudformation")


@pytest.fixture(scope="module")
def iam(server):
    return aws.client(server, "iam")


@pytest.fixture(scope="module")
def template(server):
    """The file of the Sigfox how-to's template, as the server gives it out."""
    file = server.folder / "sigfox.yaml"
    file.write_text(server.run("sigfox", "stack", "template").output() + "\n")
    return file


PARAMETERS = {"AWSAccountId": ACCOUNT, "ExternalId": "7e4c9f1d", "Region": "us-east-1", "TopicName": "sigfox"}


def listed(parameters):
    return [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]


def outputs(stack):
    return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}


def refused(code, status, call, **params):
    with pytest.raises(ClientError) as e:
        call(**params)
    assert (e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    return e.value.response["Error"]["Message"]


def deploy(cli, template, name, *more, parameters=PARAMETERS, capability="CAPABILITY_IAM", check=True):
    args = ["--template-file", template, "--stack-name", name]
    args += ["--parameter-overrides", *("{}={}".format(k, v) for k, v in parameters.items())]
    args += ["--capabilities", capability] if capability else []
    return cli.run("cloudformation", "deploy", *args, *more, check=check)


@CLIS
def test_deploy(server, iam, path, template, unique):
    """Seed 004's stack by `aws cloudformation deploy`: made, found unchanged, changed, deleted, with the waiters."""
    name, cli = unique("seed"), CLI(server, path)
    deploy(cli, template, name)
    (stack,) = cli.json("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE" and stack["Capabilities"] == ["CAPABILITY_IAM"]
    (resource,) = cli.json("cloudformation", "describe-stack-resources", "--stack-name", name)["StackResources"]
    role = resource["PhysicalResourceId"]
    assert resource["LogicalResourceId"] == "crossAccountRole" and re.fullmatch(name + "-crossAccountRole-[A-Z0-9]{12}", role)
    assert outputs(stack) == {"ARNRole": "arn:aws:iam::{}:role/{}".format(ACCOUNT, role), "Topic": "sigfox", "Region": "us-east-1"}
    (allow,) = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert allow["Principal"] == {"AWS": "arn:aws:iam::999999999999:root"}
    assert allow["Condition"] == {"StringEquals": {"sts:ExternalId": "7e4c9f1d"}}
    (publish,) = iam.get_role_policy(RoleName=role, PolicyName="publish-to-topic")["PolicyDocument"]["Statement"]
    assert publish == {"Effect": "Allow", "Action": "iot:Publish", "Resource": arn("topic/sigfox")}

    again = deploy(cli, template, name, "--no-fail-on-empty-changeset")
    assert "No changes to deploy" in again.stdout + again.stderr
    deploy(cli, template, name, parameters={"TopicName": "meters/sigfox"})  # the others are as they were
    (stack,) = cli.json("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"]
    assert stack["StackStatus"] == "UPDATE_COMPLETE" and outputs(stack)["Topic"] == "meters/sigfox"
    (publish,) = iam.get_role_policy(RoleName=role, PolicyName="publish-to-topic")["PolicyDocument"]["Statement"]
    assert publish["Resource"] == arn("topic/meters/sigfox")

    events = cli.json("cloudformation", "describe-stack-events", "--stack-name", name)["StackEvents"]
    story = [(e["LogicalResourceId"], e["ResourceStatus"]) for e in reversed(events)]
    assert story == [
        (name, "REVIEW_IN_PROGRESS"), (name, "CREATE_IN_PROGRESS"), ("crossAccountRole", "CREATE_IN_PROGRESS"),
        ("crossAccountRole", "CREATE_IN_PROGRESS"), ("crossAccountRole", "CREATE_COMPLETE"), (name, "CREATE_COMPLETE"),
        (name, "UPDATE_IN_PROGRESS"), ("crossAccountRole", "UPDATE_IN_PROGRESS"), ("crossAccountRole", "UPDATE_COMPLETE"),
        (name, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), (name, "UPDATE_COMPLETE"),
    ]  # fmt: skip
    cli.run("cloudformation", "wait", "stack-exists", "--stack-name", name)
    cli.run("cloudformation", "wait", "stack-update-complete", "--stack-name", name)
    cli.run("cloudformation", "delete-stack", "--stack-name", name)
    cli.run("cloudformation", "wait", "stack-delete-complete", "--stack-name", name)
    refused("NoSuchEntity", 404, iam.get_role, RoleName=role)


@CLIS
def test_deploy_refused(server, path, template, unique):
    """Without the box that acknowledges IAM, and with parameters that are wrong: nothing is made."""
    name, cli = unique("refused"), CLI(server, path)
    for words, kwargs in (
        ("Requires capabilities : [CAPABILITY_IAM]", {"capability": None}),
        ("Parameters: [ExternalId] must have values", {"parameters": {"AWSAccountId": ACCOUNT}}),
        ("an account id is twelve digits", {"parameters": {**PARAMETERS, "AWSAccountId": "12"}}),
        ("Parameter 'TopicName'", {"parameters": {**PARAMETERS, "TopicName": "a/#"}}),
    ):
        done = deploy(cli, template, name, check=False, **kwargs)
        assert done.returncode != 0 and words in done.stdout + done.stderr, done.stdout + done.stderr
    assert name not in cli.run("cloudformation", "list-stacks").stdout


def test_life_of_a_stack(cf, iam, template, unique):
    """boto3: create, wait, look at everything, update, delete, and what a deleted stack still tells."""
    name, body = unique("life"), template.read_text()
    stack_id = cf.create_stack(
        StackName=name, TemplateBody=body, Parameters=listed(PARAMETERS), Capabilities=["CAPABILITY_NAMED_IAM"],
        Tags=[{"Key": "team", "Value": "x"}], ClientRequestToken="token-1",
    )["StackId"]  # fmt: skip
    assert re.fullmatch("arn:aws:cloudformation:us-east-1:{}:stack/{}/[0-9a-f-]{{36}}".format(ACCOUNT, name), stack_id)
    cf.get_waiter("stack_create_complete").wait(StackName=name)
    create = {"StackName": name, "TemplateBody": body, "Parameters": listed(PARAMETERS), "Capabilities": ["CAPABILITY_IAM"]}
    assert refused("AlreadyExistsException", 400, cf.create_stack, **create) == "Stack [{}] already exists".format(name)
    assert cf.create_stack(**create, ClientRequestToken="token-1")["StackId"] == stack_id  # the answer got lost
    (stack,) = cf.describe_stacks(StackName=stack_id)["Stacks"]
    assert {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]} == PARAMETERS
    assert stack["Tags"] == [{"Key": "team", "Value": "x"}] and stack["Description"].startswith("Lets the Sigfox cloud")
    (summary,) = cf.list_stack_resources(StackName=name)["StackResourceSummaries"]
    role = summary["PhysicalResourceId"]
    assert iam.get_role(RoleName=role)["Role"]["Tags"] == stack["Tags"]
    assert cf.describe_stack_resources(PhysicalResourceId=role)["StackResources"][0]["StackName"] == name
    detail = cf.describe_stack_resource(StackName=name, LogicalResourceId="crossAccountRole")["StackResourceDetail"]
    assert detail["ResourceStatus"] == "CREATE_COMPLETE"
    assert cf.get_template(StackName=name)["TemplateBody"] == body
    summary = cf.get_template_summary(StackName=name)
    assert summary["ResourceTypes"] == ["AWS::IAM::Role"] and summary["Capabilities"] == ["CAPABILITY_IAM"]
    assert {p["ParameterKey"] for p in summary["Parameters"]} == set(PARAMETERS)
    assert [p["ParameterKey"] for p in cf.validate_template(TemplateBody=body)["Parameters"]] == list(PARAMETERS)

    keep = [{"ParameterKey": k, "UsePreviousValue": True} for k in PARAMETERS]
    update = {"StackName": name, "UsePreviousTemplate": True, "Capabilities": ["CAPABILITY_IAM"]}
    assert refused("ValidationError", 400, cf.update_stack, **update, Parameters=keep) == "No updates are to be performed."
    keep[3] = {"ParameterKey": "TopicName", "ParameterValue": "other"}
    assert cf.update_stack(**update, Parameters=keep)["StackId"] == stack_id
    cf.get_waiter("stack_update_complete").wait(StackName=name)
    assert outputs(cf.describe_stacks(StackName=name)["Stacks"][0])["Topic"] == "other"

    cf.update_termination_protection(StackName=name, EnableTerminationProtection=True)
    assert "TerminationProtection" in refused("ValidationError", 400, cf.delete_stack, StackName=name)
    cf.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    cf.delete_stack(StackName=name)
    cf.get_waiter("stack_delete_complete").wait(StackName=name)
    refused("NoSuchEntity", 404, iam.get_role, RoleName=role)
    message = refused("ValidationError", 400, cf.describe_stacks, StackName=name)
    assert message == "Stack with id {} does not exist".format(name)
    assert cf.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert cf.describe_stack_events(StackName=stack_id)["StackEvents"][0]["ResourceStatus"] == "DELETE_COMPLETE"
    gone = cf.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert stack_id in [s["StackId"] for s in gone]
    cf.delete_stack(StackName=name)  # once more is no error


def test_change_sets(cf, template, unique):
    """A change set is looked at, executed, and gone; one without changes says so in AWS's words."""
    name, body = unique("sets"), template.read_text()
    base = {"StackName": name, "TemplateBody": body, "Parameters": listed(PARAMETERS), "Capabilities": ["CAPABILITY_IAM"]}
    refused("ValidationError", 400, cf.create_change_set, ChangeSetName="first", ChangeSetType="UPDATE", **base)
    made = cf.create_change_set(ChangeSetName="first", ChangeSetType="CREATE", **base)
    cf.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"])
    (change,) = cf.describe_change_set(StackName=name, ChangeSetName="first")["Changes"]
    assert change["ResourceChange"]["Action"] == "Add" and change["ResourceChange"]["LogicalResourceId"] == "crossAccountRole"
    assert cf.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    cf.execute_change_set(ChangeSetName=made["Id"])
    cf.get_waiter("stack_create_complete").wait(StackName=name)
    refused("ChangeSetNotFound", 404, cf.describe_change_set, StackName=name, ChangeSetName="first")
    cf.create_change_set(ChangeSetName="none", **base)
    empty = cf.describe_change_set(StackName=name, ChangeSetName="none")
    assert (empty["Status"], empty["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "The submitted information didn't contain changes" in empty["StatusReason"]
    refused("InvalidChangeSetStatus", 400, cf.execute_change_set, StackName=name, ChangeSetName="none")
    with pytest.raises(WaiterError):
        cf.get_waiter("change_set_create_complete").wait(StackName=name, ChangeSetName="none")
    cf.delete_change_set(StackName=name, ChangeSetName="none")
    assert cf.list_change_sets(StackName=name)["Summaries"] == []
    cf.delete_stack(StackName=name)


ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": {"Ref": "AWS::AccountId"}}}],
        }
    },
}


def test_a_stack_that_cannot_be_made(cf, iam, unique):
    """Rolled back as a whole: the first role goes with the second, which has the name of another."""
    name, taken = unique("failing"), unique("taken")
    iam.create_role(RoleName=taken, AssumeRolePolicyDocument=json.dumps(ROLE["Properties"]["AssumeRolePolicyDocument"]).replace('{"Ref": "AWS::AccountId"}', '"*"'))
    second = {**ROLE, "DependsOn": "First", "Properties": {**ROLE["Properties"], "RoleName": taken}}
    body = json.dumps({"Resources": {"First": ROLE, "Second": second}})
    refused("InsufficientCapabilitiesException", 400, cf.create_stack, StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    stack_id = cf.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])["StackId"]
    with pytest.raises(WaiterError) as e:
        cf.get_waiter("stack_create_complete").wait(StackName=name)
    assert "ROLLBACK_COMPLETE" in str(e.value)
    failed = [e for e in cf.describe_stack_events(StackName=name)["StackEvents"] if e["ResourceStatus"] == "CREATE_FAILED"]
    assert len(failed) == 1 and failed[0]["LogicalResourceId"] == "Second" and "already exists" in failed[0]["ResourceStatusReason"]
    roles = [r["RoleName"] for page in iam.get_paginator("list_roles").paginate() for r in page["Roles"]]
    assert not [r for r in roles if r.startswith(name)] and taken in roles
    assert "can not be updated" in refused("ValidationError", 400, cf.update_stack, StackName=name, TemplateBody=body)
    cf.delete_stack(StackName=name)
    assert cf.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert iam.get_role(RoleName=taken)


def test_a_stack_gives_nobody_more_than_they_have(server, cf, iam, unique):
    """Who may make stacks and no roles gets no role by way of a stack."""
    name = unique("detour")
    keys = aws.create_user(server, unique("detour-user"), statement("Allow", "cloudformation:*", "*"))
    theirs = aws.client(server, "cloudformation", keys)
    body = json.dumps({"Resources": {"First": ROLE}})
    theirs.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    assert theirs.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"
    (failed,) = [e for e in cf.describe_stack_events(StackName=name)["StackEvents"] if e["ResourceStatus"] == "CREATE_FAILED"]
    assert "is not authorized to perform: iam:CreateRole" in failed["ResourceStatusReason"]
    assert not [r for page in iam.get_paginator("list_roles").paginate() for r in page["Roles"] if r["RoleName"].startswith(name)]
    other = aws.client(server, "cloudformation", aws.create_user(server, unique("nobody")))
    assert "cloudformation:DescribeStacks" in refused("AccessDenied", 403, other.describe_stacks, StackName=name)


@pytest.mark.parametrize(
    "code,status,words,body",
    [
        ("NotImplemented", 501, "AWS::S3::Bucket", {"Resources": {"A": {"Type": "AWS::S3::Bucket"}}}),
        ("ValidationError", 400, "Unrecognized resource types: [Of::Nobody]", {"Resources": {"A": {"Type": "Of::Nobody"}}}),
        ("NotImplemented", 501, "Mappings", {"Mappings": {}, "Resources": {"A": ROLE}}),
        ("ValidationError", 400, "At least one Resources member must be defined", {"Description": "x"}),
        ("ValidationError", 400, "Unresolved resource dependencies [Nobody]", {"Resources": {"A": {**ROLE, "DependsOn": "Nobody"}}}),
    ],
)  # fmt: skip
def test_templates_refused(cf, unique, code, status, words, body):
    name = unique("bad-template")
    for call in (cf.create_stack, cf.validate_template):
        params = {"TemplateBody": json.dumps(body)}
        if call == cf.create_stack:
            params |= {"StackName": name, "Capabilities": ["CAPABILITY_IAM"]}
        assert words in refused(code, status, call, **params)
    with pytest.raises(ClientError):
        cf.describe_stacks(StackName=name)


def test_verbs(server, iam, unique):
    """thingwire sigfox stack: made, shown, deleted; what it prints is what the callback asks for."""
    name = unique("verb")
    made = json.loads(
        server.run("sigfox", "stack", "create", name, "--external-id", "7e4c9f1d", "--topic", "meters", "--output", "json").output()
    )
    assert made["topic"] == "meters" and made["region"] == "us-east-1"
    assert made["arnRole"] == "arn:aws:iam::{}:role/{}".format(ACCOUNT, made["crossAccountRole"])
    shown = server.run("sigfox", "stack", "show", name).output()
    assert "CREATE_COMPLETE" in shown and "ARNRole  " + made["arnRole"] in shown and "Topic    meters" in shown
    again = server.run("sigfox", "stack", "create", name, "--external-id", "x1", check=False)
    assert again.child.returncode == 1 and "already exists" in again.output()
    short = server.run("sigfox", "stack", "create", name + "2", "--external-id", "x", check=False)
    assert short.child.returncode == 1 and "an external id has 2 to 1224" in short.output()
    server.run("sigfox", "stack", "delete", name)
    refused("NoSuchEntity", 404, iam.get_role, RoleName=made["crossAccountRole"])
    gone = server.run("sigfox", "stack", "show", name, check=False)
    assert gone.child.returncode == 1 and "there is no stack" in gone.output()


def test_stacks_survive_kill_9(new_server, template):
    """What was answered is there after kill -9, whole; so is what was deleted not there."""
    server = new_server().start()
    body = template.read_text()
    for n in range(10):
        cf = aws.client(server, "cloudformation")
        cf.create_stack(StackName="s{}".format(n), TemplateBody=body, Parameters=listed(PARAMETERS), Capabilities=["CAPABILITY_IAM"])
        if n % 2:
            cf.delete_stack(StackName="s{}".format(n - 1))
        server.kill()
        server.start()
    stacks = aws.client(server, "cloudformation").describe_stacks()["Stacks"]
    assert sorted(s["StackName"] for s in stacks) == ["s1", "s3", "s5", "s7", "s9"]
    roles = aws.client(server, "iam").list_roles()["Roles"]
    assert sorted(r["Arn"] for r in roles) == sorted(outputs(s)["ARNRole"] for s in stacks)
    server.run("check")


def test_botocore_is_of_today():
    """The deploy of Debian's CLI and of today's are two programs."""
    assert int(botocore.__version__.split(".")[1]) >= 40
