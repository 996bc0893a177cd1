// An app's user of a user pool signs in by Amplify with the pool's own challenge. Arguments: endpoint, pool, client, flow, user, answer, password.
import { Amplify } from "aws-amplify";
import * as auth from "aws-amplify/auth";

const [endpoint, pool, client, authFlowType, username, answer, password] = process.argv.slice(2);
Amplify.configure({ Auth: { Cognito: { userPoolId: pool, userPoolClientId: client, userPoolEndpoint: endpoint } } });
try {
  const given = { username, ...(password ? { password } : {}), options: { authFlowType } };
  let { nextStep } = await auth.signIn(given);
  const asked = nextStep.additionalInfo;
  if (nextStep.signInStep === "CONFIRM_SIGN_IN_WITH_CUSTOM_CHALLENGE")
    ({ nextStep } = await auth.confirmSignIn({ challengeResponse: answer }));
  if (nextStep.signInStep !== "DONE") throw new Error(nextStep.signInStep);
  const { idToken } = (await auth.fetchAuthSession()).tokens;
  console.log(JSON.stringify({ name: idToken.payload["cognito:username"], asked: asked.riddle }));
} catch (error) {
  console.log(JSON.stringify({ error: `${error.name}: ${error.message}` }));
}
