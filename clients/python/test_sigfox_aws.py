"""AWS IoT callbacks against servers that nobody here wrote: moto as STS, IAM and data plane, and botocore as the judge of
our signatures."""

import dataclasses
import json
import urllib.parse
import urllib.request

import boto3
import pytest
from harness.capture import Capture
from harness.keys import Keys
from harness.sigfox import AWS_ROLE, Sigfox
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iotdata.models import iotdata_backends
from moto.server import ThreadedMotoServer

OURS = Keys("AKIASIGFOXSIGFOXSIGF", "the secret of Sigfox's own account")
SESSION = Keys("ASIASESSIONSESSIONSE", "the/secret+of=session", "a-token/with+everything==")
REGION = "eu-west-1"
BODY = '{\n"device" : "{device}",  \n"time" : "{time}",  \n"temperature" : "{customData#temp}"\n}'


def answer(request):
    """STS and a data plane as far as a callback needs them."""
    if request.path == "/":
        text = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
            <AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken>
            <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
        return 200, {"Content-Type": "text/xml"}, text.format(SESSION.id, SESSION.secret, SESSION.token).encode()
    return 200, {"Content-Type": "application/json"}, b'{"message":"OK","traceId":"1"}'


@pytest.fixture
def sending_to(new_server):
    """A server whose AWS IoT callbacks go to an endpoint, with one device. Time goes a thousand times faster."""

    def make(url, keys=OURS, **device_type):
        server = new_server(flags=["--sigfox-aws-endpoint", url, "--sigfox-speed", "1000"], env=keys.environment())
        return Sigfox(server.start(), **device_type)

    return make


@pytest.mark.parametrize("topic", ["sigfox", "rules/one two/ü~(x)$*'!", "a%2Fb//c:d=e&f", "/lead/"])
def test_botocore_signs_the_same(sending_to, topic):
    """Both requests of a callback, signed by botocore's own SigV4Auth from what arrived: the same signatures."""
    with Capture(answer) as capture:
        sigfox = sending_to(capture.url)
        draft, external_id = sigfox.draft()
        callback = sigfox.aws_callback(draft, topic=topic, payloadConfig="temp::float:32", bodyTemplate=BODY)
        sent = sigfox.uplink()
        assume, publish = capture.wait(2)
        assert sigfox.settled()["arrow"] == "green"

    assert (assume.method, assume.path, assume.signature()["key"]) == ("POST", "/", OURS.id)
    assert assume.verify(OURS.secret) == ("sts", REGION)
    form = urllib.parse.parse_qs(assume.body.decode(), strict_parsing=True)
    assert form.pop("RoleSessionName")[0].endswith(callback)
    assert form == {"Action": ["AssumeRole"], "Version": ["2011-06-15"], "RoleArn": [AWS_ROLE], "ExternalId": [external_id]}

    assert (publish.method, publish.path) == ("POST", "/topics/{}?qos=0".format(urllib.parse.quote(topic, safe="")))
    assert publish.signature()["key"] == SESSION.id
    assert publish.verify(SESSION.secret, SESSION.token) == ("iotdata", REGION)
    seconds = int(json.loads(publish.body)["time"])
    assert publish.body.decode() == BODY.replace("{device}", sigfox.device).replace("{time}", str(seconds)).replace("{customData#temp}", "25.1")
    assert sent["data"] == "41c8cccd"


def test_botocore_would_notice(sending_to):
    """The judge is one: another secret, another token, another body do not pass."""
    with Capture(answer) as capture:
        sigfox = sending_to(capture.url)
        sigfox.aws_callback()
        sigfox.uplink()
        assume, publish = capture.wait(2)
    for wrong in (
        lambda: assume.verify(OURS.secret + "x"),
        lambda: publish.verify(SESSION.secret, "another token"),
        lambda: dataclasses.replace(publish, body=publish.body + b" ").verify(SESSION.secret, SESSION.token),
        lambda: dataclasses.replace(publish, path=publish.path.replace("sigfox", "else")).verify(SESSION.secret, SESSION.token),
    ):
        with pytest.raises(AssertionError):
            wrong()


def test_one_session_for_many(sending_to):
    """The credentials of a role are kept: fifty messages, one AssumeRole."""
    with Capture(answer) as capture:
        sigfox = sending_to(capture.url)
        sigfox.aws_callback()
        for _ in range(50):
            sigfox.uplink()
        got = capture.wait(51)
    assert [r.path for r in got].count("/") == 1
    assert all(r.verify(SESSION.secret, SESSION.token) for r in got if r.path != "/")


def test_a_session_that_is_over(sending_to):
    """The data plane refuses the kept credentials: they are dropped, the role is assumed anew, the message arrives."""
    over = []

    def refuse_the_second(request):
        if request.path != "/" and len(over) < 2:
            over.append(request)
            if len(over) == 2:
                return 403, {"x-amzn-ErrorType": "ExpiredTokenException"}, b'{"message":"The security token is expired"}'
        return answer(request)

    with Capture(refuse_the_second) as capture:
        sigfox = sending_to(capture.url)
        sigfox.aws_callback()
        for _ in range(2):
            sigfox.uplink()
            message = sigfox.settled()
            assert (message["arrow"], message["results"][0]["attempts"]) == ("green", 1)
        assert [r.path == "/" for r in capture.wait(5)] == [True, False, False, True, False]


@pytest.mark.parametrize("who", ["STS", "the data plane"])
def test_throttled(sending_to, who):
    """Too many requests: a retry later, and the word for it meanwhile."""
    refusals = []

    def throttle(request):
        if (request.path == "/") == (who == "STS") and not refusals:
            refusals.append(request)
            if who == "STS":
                return 400, {}, b"<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
            return 429, {"x-amzn-ErrorType": "ThrottlingException"}, b'{"message":null}'
        return answer(request)

    with Capture(throttle) as capture:
        sigfox = sending_to(capture.url)
        sigfox.aws_callback()
        sigfox.uplink()
        (result,) = sigfox.settled()["results"]
    assert (result["arrow"], result["attempts"], result["latest"]["status"]) == ("green", 2, 200)
    assert (result["first"]["status"], result["first"]["info"]) == (429, "ThrottlingException")


class Moto:
    """moto's server with a role in it that trusts everybody."""

    def __init__(self):
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.url = "http://{}:{}".format(*self._server.get_host_and_port())
        iam = self.client("iam")
        trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}], "Version": "2012-10-17"}
        self.role = iam.create_role(RoleName="crossAccountRole", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        iam.create_user(UserName="sigfox")
        key = iam.create_access_key(UserName="sigfox")["AccessKey"]
        self.keys = Keys(key["AccessKeyId"], key["SecretAccessKey"])

    def client(self, service):
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")

    def check_signatures(self):
        """From now on moto looks at signatures and policies, with botocore's code and its own."""
        request = urllib.request.Request(self.url + "/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}, method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    def published(self):
        return list(iotdata_backends[DEFAULT_ACCOUNT_ID][REGION].published_payloads)

    def close(self):
        request = urllib.request.Request(self.url + "/moto-api/reset-auth", b"inf", {"Content-Type": "text/plain"}, method="POST")
        urllib.request.urlopen(request, timeout=10).close()
        request = urllib.request.Request(self.url + "/moto-api/reset", b"", method="POST")
        urllib.request.urlopen(request, timeout=10).close()
        self._server.stop()


@pytest.fixture
def moto():
    moto = Moto()
    yield moto
    moto.close()


def test_moto_gives_a_session_and_takes_the_message(sending_to, moto):
    """Our AssumeRole is what moto's STS understands, its answer is what we do, and its data plane gets the message."""
    sigfox = sending_to(moto.url, moto.keys)
    sigfox.aws_callback(roleArn=moto.role, payloadConfig="temp::float:32", bodyTemplate='{"temp":{customData#temp}}')
    sigfox.uplink()
    message = sigfox.settled()
    assert message["arrow"] == "green", message
    assert message["results"][0]["latest"]["status"] == 200
    assert moto.published() == [("sigfox", b'{"temp":25.1}')]


@pytest.mark.parametrize("wrong", ["secret", "permission"])
def test_moto_refuses(sending_to, moto, wrong):
    """moto looks at our signature and our permission, and says no in words of its own; the message has them."""
    keys = Keys(moto.keys.id, moto.keys.secret + "x") if wrong == "secret" else moto.keys
    moto.check_signatures()
    sigfox = sending_to(moto.url, keys)
    sigfox.aws_callback(roleArn=moto.role)
    sigfox.uplink()
    message = sigfox.settled()
    latest = message["results"][0]["latest"]
    code = {"secret": "SignatureDoesNotMatch", "permission": "AccessDenied"}[wrong]
    assert (message["arrow"], latest["status"], latest["info"]) == ("red", 403, "{}: sts:AssumeRole {}".format(code, moto.role))
    assert message["results"][0]["attempts"] == 4
    assert moto.published() == []
