"""What the tests share: a server under test, a network that can be cut, and clients at every depth."""
