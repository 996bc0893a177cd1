// Says who the default credential chain of the AWS SDK for JavaScript is: once, and again for each line of input.
import { createInterface } from "node:readline";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromNodeProviderChain } from "@aws-sdk/credential-providers";

// By itself it waits one second for a metadata service, once: a busy machine can miss that.
const sts = new STSClient({ credentials: fromNodeProviderChain({ timeout: 60_000, maxRetries: 0 }) });

async function say() {
  try {
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    const { accessKeyId } = await sts.config.credentials();
    console.log(JSON.stringify({ arn: Arn, key: accessKeyId }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.name}: ${error.message}` }));
  }
}

await say();
for await (const _ of createInterface({ input: process.stdin })) await say();
