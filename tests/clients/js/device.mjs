// A device that is remembered, by the two libraries that apps are written with: signs in twice, and says what it is then.
// Arguments: library, endpoint, pool, client, user, password.
const [library, endpoint, pool, client, user, password] = process.argv.slice(2);

function memory() {
  const values = new Map();
  return {
    setItem: (key, value) => values.set(key, value),
    getItem: (key) => values.get(key) ?? null,
    removeItem: (key) => values.delete(key),
    clear: () => values.clear(),
  };
}

const promised = (call) =>
  new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))));

async function identityJs() {
  const { AuthenticationDetails, CognitoUser, CognitoUserPool } = (await import("amazon-cognito-identity-js")).default;
  const Storage = memory();
  const Pool = new CognitoUserPool({ UserPoolId: pool, ClientId: client, endpoint, Storage });
  const signIn = async () => {
    const person = new CognitoUser({ Username: user, Pool, Storage });
    const session = await new Promise((resolve, reject) =>
      person.authenticateUser(new AuthenticationDetails({ Username: user, Password: password }), {
        onSuccess: resolve,
        onFailure: reject,
        totpRequired: () => reject(new Error("a code was asked for")),
      }),
    );
    return [person, session];
  };
  const [, first] = await signIn();
  const [person, second] = await signIn();
  const refreshed = await promised((done) => person.refreshSession(second.getRefreshToken(), done));
  const devices = await new Promise((resolve, reject) =>
    person.listDevices(10, null, { onSuccess: resolve, onFailure: reject }),
  );
  const keyOf = (session) => session.getAccessToken().decodePayload().device_key;
  return { same: keyOf(first) === keyOf(second) && keyOf(refreshed) === keyOf(second), devices: devices.Devices.length };
}

async function amplify() {
  globalThis.navigator ??= { userAgent: "Node" }; // a device is named as browsers name themselves
  const { Amplify } = await import("aws-amplify");
  const auth = await import("aws-amplify/auth");
  Amplify.configure({ Auth: { Cognito: { userPoolId: pool, userPoolClientId: client, userPoolEndpoint: endpoint } } });
  const signIn = async () => {
    const { nextStep } = await auth.signIn({ username: user, password });
    if (nextStep.signInStep !== "DONE") throw new Error(nextStep.signInStep);
    return (await auth.fetchAuthSession()).tokens.accessToken.payload.device_key;
  };
  const first = await signIn();
  await auth.signOut();
  const second = await signIn();
  const refreshed = (await auth.fetchAuthSession({ forceRefresh: true })).tokens.accessToken.payload.device_key;
  return { same: first === second && refreshed === second, devices: (await auth.fetchDevices()).length };
}

try {
  console.log(JSON.stringify(await (library === "amplify" ? amplify() : identityJs())));
} catch (error) {
  console.log(JSON.stringify({ error: `${error.name}: ${error.message}` }));
}
