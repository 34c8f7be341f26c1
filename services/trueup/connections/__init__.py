"""How Kafka and Redis are reached: TLS, passwords, tokens, certificates, and what each client library wants of them.

The settings are in `kafka_security.py` and `redis_settings.py`. Only `kafka_python.py`, `aiokafka.py` (with Faust) and
`redis.py` turn them into arguments. Nothing here knows what is sent over a connection.

Secrets stay in a `SecretStr` or in their file until the moment in which a client is built; no message holds one.
"""
