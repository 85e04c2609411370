"""Makes calls with the boto3 of the Python that runs this, Debian's: lines of JSON in, a line for each answer out. The first
line says where the calls go; each line behind it is a service, an operation and its parameters.

It runs outside the virtual environment, and must do with what Python 3.11 and boto3 1.26 have.
"""

import base64
import functools
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

order = json.loads(sys.stdin.readline())
client = functools.cache(lambda service: boto3.client(service, config=Config(retries={"total_max_attempts": 1}), **order))


def plain(value):
    """Bytes as base64, dates as text."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def answer(service, operation, params):
    for name, value in params.items():
        if isinstance(value, dict) and set(value) == {"base64"}:
            params[name] = base64.b64decode(value["base64"])
    try:
        return getattr(client(service), operation)(**params)
    except ClientError as e:
        return {
            "error": e.response["Error"]["Code"], "class": type(e).__name__, "message": e.response["Error"]["Message"],
            "status": e.response["ResponseMetadata"]["HTTPStatusCode"],
            "requestId": e.response["ResponseMetadata"].get("RequestId"),
        }  # fmt: skip


for line in sys.stdin:
    print(json.dumps(answer(*json.loads(line)), default=plain), flush=True)
