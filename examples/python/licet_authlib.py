"""A command-line program that signs a person in at Licet and calls its API, with Authlib.

Code flow with PKCE on a loopback address, automatic refresh, offline verification, an API key, and the exchange of that key for a short-lived
token. Refusals are handled as they mean it.

    npx licet app create --name "My program" --type native --redirect-uri http://127.0.0.1/callback --scope "api:read data:read"
    ISSUER=http://localhost:4000 CLIENT_ID=… python licet_authlib.py      (optional: API_KEY, and SERVICE_ID with SERVICE_SECRET of a service app)
"""
import os
import random
import re
import secrets
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

ISSUER = os.environ.get("ISSUER", "http://localhost:4000")
RESOURCE = f"{ISSUER}/api/v1"


def wait_for_redirect(server):
    """The path and query with which the browser comes back."""

    class Callback(BaseHTTPRequestHandler):
        def do_GET(self):
            server.came_back = self.path
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"You can close this page.")

        def log_message(self, *_):
            """The address holds the code: it stays out of every log."""

    server.RequestHandlerClass = Callback
    server.handle_request()
    return server.came_back


def sign_in(meta):
    """Sends the person to Licet and waits on a free port of this machine for the way back (RFC 8252 section 7.3)."""
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    session = OAuth2Session(
        os.environ["CLIENT_ID"],
        redirect_uri=f"http://127.0.0.1:{server.server_port}/callback",
        scope="openid email api:read data:read",
        code_challenge_method="S256",
        token_endpoint=meta["token_endpoint"],  # where Authlib refreshes by itself
        token_endpoint_auth_method="none",
        leeway=30,
    )
    verifier = secrets.token_urlsafe(48)
    address, state = session.create_authorization_url(meta["authorization_endpoint"], code_verifier=verifier)
    print("open:", address, flush=True)
    back = session.redirect_uri + wait_for_redirect(server).removeprefix("/callback")
    if f"iss={requests.utils.quote(ISSUER, safe='')}" not in back:  # RFC 9207: the answer is from whom we asked
        raise SystemExit("the answer came from another server")
    session.fetch_token(authorization_response=back, state=state, code_verifier=verifier)
    return session


def verify(token, keys, audience, kind):
    """The claims of a token of ours, verified without asking anybody."""
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    if decoded.header.get("typ", "JWT") != kind:
        raise ValueError(f"not a {kind}")
    known = {name: {"essential": True, "value": value} for name, value in {"iss": ISSUER, "aud": audience}.items()}
    jwt.JWTClaimsRegistry(**known, exp={"essential": True}).validate(decoded.claims)
    return decoded.claims


def call(session, path, attempts=6):
    """Calls the API: waits when told to (429, 503), refreshes once (401), and says what a refusal asks for (403)."""
    for attempt in range(1, attempts + 1):
        answer = session.get(RESOURCE + path)
        if answer.ok:
            return answer.json()
        if answer.status_code in (429, 503) and attempt < attempts:
            time.sleep(float(answer.headers.get("Retry-After", 1)) + random.random() / 4)
        elif answer.status_code == 401 and attempt == 1 and isinstance(session, OAuth2Session):
            session.refresh_token(session.metadata["token_endpoint"])
        else:
            break
    problem = answer.json()
    scope = re.search(r'scope="([^"]*)"', answer.headers.get("WWW-Authenticate", ""))
    needed = f", it needs {scope[1]}" if scope else ""
    raise RuntimeError(f"{answer.status_code} {problem['code']}{needed}; its owner looks up {problem.get('error_ref')}")


meta = requests.get(f"{ISSUER}/.well-known/oauth-authorization-server", timeout=10).json()
keys = KeySet.import_key_set(requests.get(meta["jwks_uri"], timeout=10).json())
person = sign_in(meta)
print("signed in:", verify(person.token["id_token"], keys, person.client_id, "JWT")["sub"])
claims = verify(person.token["access_token"], keys, RESOURCE, "at+jwt")
print("verified:", claims["sub"], "may", claims["scope"])

before, person.token["expires_at"] = person.token["access_token"], 0
for _ in range(8):
    call(person, "/accounts/me")
print("refreshed:", person.token["access_token"] != before)
print("called: eight times, waiting where asked to")

if "API_KEY" in os.environ:
    key = requests.Session()
    key.headers["Authorization"] = f"Bearer {os.environ['API_KEY']}"
    print("key:", call(key, "/accounts/me")["credential"]["name"])
    try:
        call(key, "/grants")
    except RuntimeError as refusal:
        print("refused:", refusal)
if "API_KEY" in os.environ and "SERVICE_ID" in os.environ:
    service = OAuth2Session(os.environ["SERVICE_ID"], os.environ["SERVICE_SECRET"])
    grant = {"subject_token": os.environ["API_KEY"], "subject_token_type": "urn:licet:token-type:api_key", "scope": "data:read"}
    exchanged = service.fetch_token(meta["token_endpoint"], grant_type="urn:ietf:params:oauth:grant-type:token-exchange", **grant)
    act = verify(exchanged["access_token"], keys, RESOURCE, "at+jwt")["act"]
    print("exchanged:", act["sub"], "for", exchanged["expires_in"], "s")
