"""Method 8, IAM Roles Anywhere: the proof is an X.509 certificate whose key signed the request.

`session` is the data plane (CreateSession); `signature`, `certificates`, `paths` and `revocation` are what it asks of a
certificate, `attributes` what it reads from one. The other modules are the control plane.
"""
