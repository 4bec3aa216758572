"""``[[notify]]``: commands and webhooks that are told of switches and alarms, and can hold up neither."""
