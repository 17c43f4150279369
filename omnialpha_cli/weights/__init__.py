"""Manage weights on disk: what weights.lock says of them, where they are, and whether they are the locked ones."""
