// Says who `fromLoginCredentials` of the AWS SDK for JavaScript is, for the profile that a console login left.
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromLoginCredentials } from "@aws-sdk/credential-providers";

const sts = new STSClient({ credentials: fromLoginCredentials({ profile: process.env.AWS_PROFILE }) });
try {
  const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
  console.log(JSON.stringify({ arn: Arn }));
} catch (error) {
  console.log(JSON.stringify({ error: `${error.name}: ${error.message}` }));
}
