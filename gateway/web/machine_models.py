"""What the API says of partners' machines; like `gateway.web.models`."""

from gateway.web.models import Model


class IdentityDocument(Model):
    """An organisation's public keys, base64 of 32 bytes each."""

    type: str
    slug: str
    name: str
    signing: str
    exchange: str
    auth: str


class Enrolled(Model):
    """`answer`: by which the agent knows that the gateway knows the code too."""

    answer: str
