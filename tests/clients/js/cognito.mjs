// Says who an app is that signs in at an identity pool by the SDK's own providers: by pool, then by the identity it got.
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromCognitoIdentity, fromCognitoIdentityPool } from "@aws-sdk/credential-providers";

const logins = process.env.LOGINS ? JSON.parse(process.env.LOGINS) : undefined;
const clientConfig = { region: "us-east-1", endpoint: process.env.COGNITO_ENDPOINT };

async function who(credentials) {
  const { Arn } = await new STSClient({ credentials }).send(new GetCallerIdentityCommand({}));
  const { identityId, accessKeyId } = await credentials();
  return { arn: Arn, identity: identityId, key: accessKeyId };
}

try {
  const first = await who(
    fromCognitoIdentityPool({ identityPoolId: process.env.POOL, logins, clientConfig, cache: undefined }),
  );
  const second = await who(fromCognitoIdentity({ identityId: first.identity, logins, clientConfig }));
  console.log(JSON.stringify([first, second]));
} catch (error) {
  console.log(JSON.stringify({ error: `${error.name}: ${error.message}` }));
}
