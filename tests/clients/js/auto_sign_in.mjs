// Somebody signs up by Amplify, types the code in on a line, and is signed in by autoSignIn. Arguments: endpoint, pool, client, user, e-mail address.
import { createInterface } from "node:readline/promises";
import { Amplify } from "aws-amplify";
import * as auth from "aws-amplify/auth";

const [endpoint, pool, client, username, email] = process.argv.slice(2);
Amplify.configure({ Auth: { Cognito: { userPoolId: pool, userPoolClientId: client, userPoolEndpoint: endpoint } } });
try {
  await auth.signUp({ username, options: { userAttributes: { email }, autoSignIn: { authFlowType: "USER_AUTH" } } });
  const confirmationCode = await createInterface({ input: process.stdin }).question("");
  const { nextStep } = await auth.confirmSignUp({ username, confirmationCode });
  const signedIn = await auth.autoSignIn();
  const { idToken } = (await auth.fetchAuthSession()).tokens;
  console.log(
    JSON.stringify({
      confirmed: nextStep.signUpStep,
      step: signedIn.nextStep.signInStep,
      name: idToken.payload["cognito:username"],
    }),
  );
} catch (error) {
  console.log(JSON.stringify({ error: `${error.name}: ${error.message}` }));
}
process.exit(0);
