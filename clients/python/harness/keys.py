"""Access keys and sessions, as AWS's tools take them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Keys:
    """An access key, or the three parts of a session's credentials."""

    id: str
    secret: str
    token: str | None = None

    @classmethod
    def of_session(cls, credentials):
        """The Credentials of an answer of STS."""
        return cls(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])

    def environment(self):
        env = {"AWS_ACCESS_KEY_ID": self.id, "AWS_SECRET_ACCESS_KEY": self.secret}
        return {**env, "AWS_SESSION_TOKEN": self.token} if self.token else env
