"""Managed login at AWS's own names: a domain is its pool's alone."""

from __future__ import annotations

import httpx
from managed_login_lab import CALLBACK, POOL, SCENARIO

from sts_emulator.shared_server import free_port


def test_a_domain_is_of_its_pool_alone(serve, tmp_path):
    scenario, tls = tmp_path / "shop.yaml", free_port()
    scenario.write_text(SCENARIO)
    query = {"client_id": "web", "redirect_uri": CALLBACK, "response_type": "code"}
    with serve("--tls-port", str(tls), "--scenario", str(scenario)) as (_, _process):

        def ask(host: str, path: str, **parameters: str) -> httpx.Response:
            url = f"https://127.0.0.1:{tls}/{path}"
            return httpx.get(url, params=parameters, headers={"host": host}, verify=False, timeout=120)

        own = ask("shop.auth.us-east-1.amazoncognito.com", "login", **query)
        assert (own.status_code, "Sign in" in own.text) == (200, True)
        foreign = ask("other.auth.us-east-1.amazoncognito.com", "login", **query)
        assert "error=invalid_request" in foreign.headers["location"]
        assert ask("nobody.auth.us-east-1.amazoncognito.com", "login", **query).status_code == 404
        told = ask("cognito-idp.us-east-1.amazonaws.com", f"{POOL}/.well-known/openid-configuration").json()
        assert told["token_endpoint"] == "https://shop.auth.us-east-1.amazoncognito.com/oauth2/token"
