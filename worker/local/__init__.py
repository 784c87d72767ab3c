"""The local stack: a broker, a session pool and a blob store on loopback, for use without a cloud account."""
