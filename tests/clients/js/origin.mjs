// Says who a session is originally, by the AWS SDK for JavaScript: the answer's context, and what a token for others says.
import { AssumeRoleWithWebIdentityCommand, GetWebIdentityTokenCommand, STSClient } from "@aws-sdk/client-sts";

const [RoleArn, WebIdentityToken] = process.argv.slice(2);
const region = "us-east-1";

const nobody = new STSClient({ region, credentials: { accessKeyId: "none", secretAccessKey: "none" } });
const login = new AssumeRoleWithWebIdentityCommand({ RoleArn, RoleSessionName: "job", WebIdentityToken });
const { Credentials, TrustedIdentityPropagationContext } = await nobody.send(login);
const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials;
const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
const asked = { Audience: ["partner"], SigningAlgorithm: "ES384", SubjectMode: "OriginIdentity", Scope: "read write" };
const token = await new STSClient({ region, credentials }).send(new GetWebIdentityTokenCommand(asked));
const claims = JSON.parse(Buffer.from(token.WebIdentityToken.split(".")[1], "base64url"));
console.log(JSON.stringify({ context: TrustedIdentityPropagationContext, claims }));
