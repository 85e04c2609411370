"""The Sigfox backend of a server, asked over the admin socket, and what a test waits for in it."""

import itertools
import threading
import time

PREFIX = "/_thingwire/v1/sigfox/"
AWS_ROLE = "arn:aws:iam::123456789012:role/stack-crossAccountRole-1"


def eventually(look, timeout=20):
    """Asks until look gives something, and returns it. Nothing announces what a message list says."""
    deadline, pause = time.monotonic() + timeout, threading.Event()
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "not within {}s: {!r}".format(timeout, found)
        pause.wait(0.02)


class Sigfox:
    """One device type with one device of a server."""

    _numbers = itertools.count(0x4D3091)

    def __init__(self, server, **device_type):
        self._server = server
        self.device = "{:X}".format(next(self._numbers))
        self.type = self.call("POST", "device-types", {"name": "type of " + self.device, **device_type})["id"]
        self.call("POST", "devices", {"id": self.device, "deviceTypeId": self.type})

    def call(self, method, path, body=None, expect=200):
        return self._server.admin(method, PREFIX + path, body, expect=expect)

    def callback(self, **members):
        """Saves a callback of kind DATA/UPLINK unless told otherwise, and returns its id."""
        members = {"callbackType": 0, "callbackSubtype": 2, "enabled": True, **members}
        return self.call("POST", "device-types/{}/callbacks".format(self.type), members)["id"]

    def draft(self):
        """A callback that is not saved yet: its id and the external id that it has."""
        draft = self.call("POST", "device-types/{}/drafts".format(self.type))
        return draft["id"], draft["externalId"]

    def aws_callback(self, draft=None, **members):
        body = {"channel": "AWS_IOT", "roleArn": AWS_ROLE, "region": "eu-west-1", "topic": "sigfox", **members}
        return self.callback(**({"draft": draft, **body} if draft else body))

    def delete_callback(self, callback):
        self.call("DELETE", "device-types/{}/callbacks/{}".format(self.type, callback))

    def uplink(self, data="41C8CCCD", **members):
        return self.call("POST", "devices/{}/uplinks".format(self.device), {"data": data, **members})

    def newest(self):
        return self.call("GET", "devices/{}/messages?maxResults=1".format(self.device))["items"][0]

    def settled(self, timeout=20):
        """The newest message when its arrow is of a colour that stays."""
        return eventually(lambda: (lambda m: m if m["arrow"] in ("green", "red") else None)(self.newest()), timeout)

    def tried(self, timeout=20):
        """The newest message when its callback was tried at least once."""
        return eventually(lambda: (lambda m: m if m["results"] and m["results"][0]["latest"] else None)(self.newest()), timeout)
