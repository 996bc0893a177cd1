"""Lambda triggers of user pools without Lambda: `(event) -> event`, by a Python function, a hook or an endpoint."""
