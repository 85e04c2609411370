"""Makes calls with the boto3 of the Python that runs this, Debian's: an order as JSON in, the answers as JSON out.

It runs outside the virtual environment, and must do with what Python 3.11 and boto3 1.26 have.
"""

import base64
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

order = json.load(sys.stdin)
calls = order.pop("calls")
config = Config(retries={"total_max_attempts": 1})
clients = {service: boto3.client(service, config=config, **order) for service in {call[0] for call in calls}}


def plain(value):
    """Bytes as base64, dates as text."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


answers = []
for service, operation, params in calls:
    for name, value in params.items():
        if isinstance(value, dict) and set(value) == {"base64"}:
            params[name] = base64.b64decode(value["base64"])
    try:
        answers.append(getattr(clients[service], operation)(**params))
    except ClientError as e:
        answers.append({
            "error": e.response["Error"]["Code"], "class": type(e).__name__, "message": e.response["Error"]["Message"],
            "status": e.response["ResponseMetadata"]["HTTPStatusCode"],
            "requestId": e.response["ResponseMetadata"].get("RequestId"),
        })  # fmt: skip
json.dump(answers, sys.stdout, default=plain)
