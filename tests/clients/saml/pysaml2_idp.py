"""Reads what to say as JSON from standard input, writes a SAMLResponse in base64: an identity provider by pysaml2.

A program of its own: pysaml2 signs with the command xmlsec1, and its import warns about what it uses.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from pathlib import Path

from saml2 import BINDING_HTTP_POST
from saml2.config import IdPConfig
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server

URI = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"

SERVICE_PROVIDER = (
    '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{audience}">'
    '<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><AssertionConsumerService '
    'index="0" Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="{recipient}"/></SPSSODescriptor>'
    "</EntityDescriptor>"
)


def main() -> None:
    wish = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(base64.b64encode(produce(wish, Path(folder)).encode()).decode())


def produce(wish: dict, folder: Path) -> str:
    (folder / "key.pem").write_text(wish["key"])
    (folder / "certificate.pem").write_text(wish["certificate"])
    # pysaml2 sends only attributes that are in a map of the name format.
    names = {name: name for name in wish["attributes"]}
    (folder / "maps").mkdir()
    (folder / "maps" / "aws.py").write_text(f"MAP = {{'identifier': {URI!r}, 'fro': {names!r}, 'to': {names!r}}}")
    config = IdPConfig().load(
        {
            "entityid": wish["issuer"],
            "attribute_map_dir": str(folder / "maps"),
            "metadata": {"inline": [SERVICE_PROVIDER.format(**wish)]},
            "key_file": str(folder / "key.pem"),
            "cert_file": str(folder / "certificate.pem"),
            "service": {
                "idp": {
                    "endpoints": {"single_sign_on_service": [("https://idp.example.test/sso", BINDING_HTTP_POST)]},
                    "policy": {
                        "default": {"lifetime": {"minutes": 5}, "name_form": URI, "fail_on_missing_requested": False}
                    },
                    "sign_assertion": True,
                    "sign_response": bool(wish.get("signResponse")),
                }
            },
        }
    )
    response = Server(config=config).create_authn_response(
        identity=wish["attributes"],
        in_response_to=None,
        destination=wish["recipient"],
        sp_entity_id=wish["audience"],
        name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text=wish["subject"]),
        authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "authn_auth": wish["issuer"]},
        sign_assertion=True,
        sign_response=bool(wish.get("signResponse")),
        sign_alg="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        digest_alg="http://www.w3.org/2001/04/xmlenc#sha256",
    )
    return str(response)


if __name__ == "__main__":
    main()
