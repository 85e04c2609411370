"""URLs for MQTT over WebSocket, signed by botocore: its generic signer knows nothing of AWS IoT."""

import datetime
import unittest.mock
import urllib.parse

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .aws import REGION
from .keys import Keys


def presigned(server, keys, listener="api", service="iotdevicegateway", region=REGION, expires=3600, token="behind", age=0,
              path="/mqtt"):  # fmt: skip
    """Path and query of an upgrade. A session's token goes behind the signature, as AWS IoT has it, or is signed like
    everything else ("signed"). age is how many seconds ago it was signed."""
    signing = keys if token == "signed" else Keys(keys.id, keys.secret)
    request = AWSRequest("GET", server.url(listener) + path)
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(seconds=age)
    with unittest.mock.patch("botocore.auth.get_current_datetime", lambda: now):
        SigV4QueryAuth(Credentials(signing.id, signing.secret, signing.token), service, region, expires).add_auth(request)
    url = request.url.removeprefix(server.url(listener))
    if keys.token and token == "behind":
        url += "&X-Amz-Security-Token=" + urllib.parse.quote(keys.token, safe="")
    return url
