"""A command-line program that signs a person in at Licet and calls its API, with requests-oauthlib.

Code flow with PKCE on a loopback address, automatic refresh, offline verification, an API key, and the exchange of that key for a short-lived token.

    npx licet app create --name "My program" --type native --redirect-uri http://127.0.0.1/callback --scope "api:read data:read"
    ISSUER=http://localhost:4000 CLIENT_ID=… python licet_requests_oauthlib.py   (optional: API_KEY, and SERVICE_ID with SERVICE_SECRET)
"""
import os
import random
import re
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
import requests
from requests_oauthlib import OAuth2Session

ISSUER = os.environ.get("ISSUER", "http://localhost:4000")
RESOURCE = f"{ISSUER}/api/v1"
if ISSUER.startswith("http://localhost:"):  # plain http is for a server on this machine only
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"


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
    client_id = os.environ["CLIENT_ID"]
    session = OAuth2Session(
        client_id,
        redirect_uri=f"http://127.0.0.1:{server.server_port}/callback",
        scope="openid email api:read data:read",
        pkce="S256",
        auto_refresh_url=meta["token_endpoint"],
        auto_refresh_kwargs={"client_id": client_id},
        token_updater=lambda token: None,  # a program that lives longer stores the new tokens here
    )
    address, _state = session.authorization_url(meta["authorization_endpoint"])
    print("open:", address, flush=True)
    back = "https://127.0.0.1" + wait_for_redirect(server)
    if parse_qs(urlsplit(back).query).get("iss") != [ISSUER]:  # RFC 9207: the answer is from whom we asked
        raise SystemExit("the answer came from another server")
    session.fetch_token(meta["token_endpoint"], authorization_response=back, include_client_id=True)
    return session


def verify(token, keys, audience, kind):
    """The claims of a token of ours, verified offline."""
    if jwt.get_unverified_header(token).get("typ", "JWT") != kind:
        raise ValueError(f"not a {kind}")
    key = keys.get_signing_key_from_jwt(token)
    required = {"require": ["exp", "iss", "aud", "sub"]}
    return jwt.decode(token, key, algorithms=["ES256"], issuer=ISSUER, audience=audience, options=required)


def call(session, path, attempts=6):
    """Calls the API: waits when told to (429, 503), refreshes once (401), and says what a refusal asks for (403)."""
    for attempt in range(1, attempts + 1):
        answer = session.get(RESOURCE + path)
        if answer.ok:
            return answer.json()
        if answer.status_code in (429, 503) and attempt < attempts:
            time.sleep(float(answer.headers.get("Retry-After", 1)) + random.random() / 4)
        elif answer.status_code == 401 and attempt == 1 and isinstance(session, OAuth2Session):
            session.refresh_token(session.auto_refresh_url, **session.auto_refresh_kwargs)
        else:
            break
    problem = answer.json()
    scope = re.search(r'scope="([^"]*)"', answer.headers.get("WWW-Authenticate", ""))
    needed = f", it needs {scope[1]}" if scope else ""
    raise RuntimeError(f"{answer.status_code} {problem['code']}{needed}; its owner looks up {problem.get('error_ref')}")


meta = requests.get(f"{ISSUER}/.well-known/oauth-authorization-server", timeout=10).json()
keys = jwt.PyJWKClient(meta["jwks_uri"])
person = sign_in(meta)
print("signed in:", verify(person.token["id_token"], keys, person.client_id, "JWT")["sub"])
claims = verify(person.token["access_token"], keys, RESOURCE, "at+jwt")
print("verified:", claims["sub"], "may", claims["scope"])

before, person.token = person.token["access_token"], {**person.token, "expires_at": time.time() - 30}
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
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "scope": "data:read"}
    grant |= {"subject_token": os.environ["API_KEY"], "subject_token_type": "urn:licet:token-type:api_key"}
    service = (os.environ["SERVICE_ID"], os.environ["SERVICE_SECRET"])
    exchanged = requests.post(meta["token_endpoint"], auth=service, data=grant, timeout=10).json()
    act = verify(exchanged["access_token"], keys, RESOURCE, "at+jwt")["act"]
    print("exchanged:", act["sub"], "for", exchanged["expires_in"], "s")
