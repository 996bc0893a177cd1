// An app's user of a user pool, by the two libraries that apps are written with: signs in by SRP, and says who that is.
// Arguments: library, endpoint, pool, client, user, password; a new password and an authenticator's secret if asked for.
import { createHmac } from "node:crypto";

const [library, endpoint, pool, client, user, password, fresh = "", seed = ""] = process.argv.slice(2);

function totp(secret) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const digest = createHmac("sha1", key).update(step).digest();
  const number = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
  return String(number % 1000000).padStart(6, "0");
}

async function identityJs() {
  const { AuthenticationDetails, CognitoUser, CognitoUserPool } = (await import("amazon-cognito-identity-js")).default;
  const Pool = new CognitoUserPool({ UserPoolId: pool, ClientId: client, endpoint });
  const person = new CognitoUser({ Username: user, Pool });
  const session = await new Promise((resolve, reject) => {
    const answers = {
      onSuccess: resolve,
      onFailure: reject,
      newPasswordRequired: () => person.completeNewPasswordChallenge(fresh, {}, answers),
      totpRequired: () => person.sendMFACode(totp(seed), answers, "SOFTWARE_TOKEN_MFA"),
    };
    person.authenticateUser(new AuthenticationDetails({ Username: user, Password: password }), answers);
  });
  const attributes = await new Promise((resolve, reject) =>
    person.getUserAttributes((error, result) => (error ? reject(error) : resolve(result))),
  );
  const refreshed = await new Promise((resolve, reject) =>
    person.refreshSession(session.getRefreshToken(), (error, result) => (error ? reject(error) : resolve(result))),
  );
  await new Promise((resolve, reject) => person.globalSignOut({ onSuccess: resolve, onFailure: reject }));
  return {
    name: session.getIdToken().payload["cognito:username"],
    email: attributes.find((attribute) => attribute.Name === "email")?.Value,
    refreshed: refreshed.getAccessToken().getJwtToken() !== session.getAccessToken().getJwtToken(),
  };
}

async function amplify() {
  const { Amplify } = await import("aws-amplify");
  const auth = await import("aws-amplify/auth");
  Amplify.configure({ Auth: { Cognito: { userPoolId: pool, userPoolClientId: client, userPoolEndpoint: endpoint } } });
  let { nextStep } = await auth.signIn({ username: user, password });
  if (nextStep.signInStep === "CONFIRM_SIGN_IN_WITH_NEW_PASSWORD_REQUIRED")
    ({ nextStep } = await auth.confirmSignIn({ challengeResponse: fresh }));
  if (nextStep.signInStep === "CONFIRM_SIGN_IN_WITH_TOTP_CODE")
    ({ nextStep } = await auth.confirmSignIn({ challengeResponse: totp(seed) }));
  if (nextStep.signInStep !== "DONE") throw new Error(nextStep.signInStep);
  const before = (await auth.fetchAuthSession()).tokens;
  const { email } = await auth.fetchUserAttributes();
  const after = (await auth.fetchAuthSession({ forceRefresh: true })).tokens;
  await auth.signOut({ global: true });
  return {
    name: before.idToken.payload["cognito:username"],
    email,
    refreshed: after.accessToken.toString() !== before.accessToken.toString(),
  };
}

try {
  console.log(JSON.stringify(await (library === "amplify" ? amplify() : identityJs())));
} catch (error) {
  console.log(JSON.stringify({ error: `${error.name}: ${error.message}` }));
}
