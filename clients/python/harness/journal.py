"""What the server says happened: `thingwire logs --follow` as a stream of events to wait for, and `thingwire why`."""

import json

from .server import BINARY, Process


class Journal:
    """Follows a server's journal. told(...) waits until something is in it, and asks `why` about it as a user would."""

    def __init__(self, server):
        self._server = server
        self._logs = Process([BINARY, "logs", "--follow", "--data-dir", server.data], cwd=server.folder)

    def close(self):
        self._logs.kill()

    def wait(self, timeout=20, **fields):
        """Waits for an entry that has these fields."""
        return json.loads(self._logs.wait_for_line(lambda line: _has(json.loads(line), fields), timeout))

    def told(self, client_id, timeout=20, ask=None, **fields):
        """Waits for the entry of a client that has these fields, and returns what `why` tells of it in both forms.

        ask is what the user asks by, if not by client id.
        """
        if client_id is not None:
            fields["clientId"] = client_id
        self.wait(timeout, **fields)
        ask = ask or client_id
        story = json.loads(self._server.run("why", ask, "--output", "json").output())
        assert story["clientId"] == ask
        found = [entry for entry in story["entries"] if _has(entry, fields)]
        assert len(found) == 1, "one such entry, once: {}".format(json.dumps(story["entries"], indent=1))
        text = self._server.run("why", ask).output()
        return Told(found[0], text, story["entries"])


class Told:
    """One entry, the text that a person reads, and all entries of the client."""

    def __init__(self, entry, text, entries):
        self.entry, self.text, self.entries = entry, text, entries

    def __getitem__(self, field):
        return self.entry[field]

    def explains(self, cause, remedy):
        """Expects cause and remedy, each by its telling words, in the entry and in the text for people."""
        for field, words in (("cause", cause), ("remedy", remedy)):
            said = self.entry.get(field, "")
            for word in [words] if isinstance(words, str) else words:
                assert word in said, "the {} does not say {!r}: {!r}".format(field, word, said)
            assert said in self.text, "the text for people has no {}:\n{}".format(field, self.text)
        return self


def _has(entry, fields):
    return all(entry.get(name) == value for name, value in fields.items())
