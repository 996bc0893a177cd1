// An app that signs people in to managed login with openid-client, as its documentation has it.
// Arguments: address of the pool, client, secret, redirect, what it does.
// `begin` prints where the browser goes and what must be kept; `finish URL KEPT` redeems what came back.
import * as oidc from "openid-client";

const [address, issuer, client, secret, redirect, step, url = "", kept = "{}"] = process.argv.slice(2);

async function configuration() {
  // The issuer is AWS's, the endpoints are those of the address that was asked.
  const told = await (await fetch(`${address}/.well-known/openid-configuration`)).json();
  if (told.issuer !== issuer) throw new Error(told.issuer);
  const known = new oidc.Configuration(told, client, secret || undefined, secret ? undefined : oidc.None());
  oidc.allowInsecureRequests(known);
  return known;
}

async function begin(known) {
  const codeVerifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const target = oidc.buildAuthorizationUrl(known, {
    redirect_uri: redirect,
    scope: "openid email",
    code_challenge: await oidc.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: "S256",
    state,
    nonce,
  });
  return { url: target.href, kept: { codeVerifier, state, nonce } };
}

async function finish(known) {
  const { codeVerifier, state, nonce } = JSON.parse(kept);
  const tokens = await oidc.authorizationCodeGrant(known, new URL(url), {
    pkceCodeVerifier: codeVerifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  const claims = tokens.claims();
  const told = await oidc.fetchUserInfo(known, tokens.access_token, claims.sub);
  const fresh = await oidc.refreshTokenGrant(known, tokens.refresh_token);
  await oidc.tokenRevocation(known, tokens.refresh_token);
  const dead = await oidc.refreshTokenGrant(known, tokens.refresh_token).then(() => "", (error) => error.error);
  const leave = oidc.buildEndSessionUrl(known, { client_id: client, logout_uri: redirect });
  return {
    name: claims["cognito:username"],
    email: told.email,
    refreshed: fresh.access_token !== tokens.access_token,
    dead,
    leave: leave.href,
  };
}

try {
  const known = await configuration();
  console.log(JSON.stringify(await (step === "begin" ? begin(known) : finish(known))));
} catch (error) {
  console.log(JSON.stringify({ error: `${error.code ?? error.name}: ${error.error ?? error.message}` }));
}
