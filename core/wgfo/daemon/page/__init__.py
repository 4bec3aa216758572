"""The status page: server-rendered, read only, complete without JavaScript."""
