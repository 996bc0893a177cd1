// Uses what is behind the door with the AWS SDK for JavaScript, as its environment says; tells what came back.
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Upload } from "@aws-sdk/lib-storage";

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
const s3 = new S3Client({ forcePathStyle: true, maxAttempts: 1 });
const large = randomBytes(12 << 20);
const told = {};

await s3.send(new PutObjectCommand({ Bucket: "photos", Key: "ann/small", Body: "hello" }));
const small = await s3.send(new GetObjectCommand({ Bucket: "photos", Key: "ann/small" }));
told.small = await small.Body.transformToString();

// a stream of unknown length, in parts, each with a checksum in its trailer
const body = Readable.from([large.subarray(0, 7 << 20), large.subarray(7 << 20)]);
const target = { Bucket: "photos", Key: "ann/large", Body: body, ChecksumAlgorithm: "CRC32C" };
await new Upload({ client: s3, params: target }).done();
const back = await s3.send(new GetObjectCommand({ Bucket: "photos", Key: "ann/large" }));
told.large = digest(await back.Body.transformToByteArray()) === digest(large);

// one object, streamed in chunks with its checksum behind it
const streamed = { Bucket: "photos", Key: "ann/streamed", Body: Readable.from([large]), ContentLength: large.length };
await s3.send(new PutObjectCommand({ ...streamed, ChecksumAlgorithm: "SHA256" }));
told.streamed = (await s3.send(new HeadObjectCommand({ Bucket: "photos", Key: "ann/streamed" }))).ContentLength;

try {
  await s3.send(new PutObjectCommand({ Bucket: "photos", Key: "bob/1", Body: "hello" }));
} catch (error) {
  told.refused = { name: error.name, status: error.$metadata.httpStatusCode, message: error.message };
}

const dynamodb = new DynamoDBClient({});
await dynamodb.send(
  new CreateTableCommand({
    TableName: "notes",
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    BillingMode: "PAY_PER_REQUEST",
  }),
);
await dynamodb.send(new PutItemCommand({ TableName: "notes", Item: { id: { S: "1" }, text: { S: "bread" } } }));
told.item = (await dynamodb.send(new GetItemCommand({ TableName: "notes", Key: { id: { S: "1" } } }))).Item.text.S;

const sqs = new SQSClient({});
const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "jobs" }));
await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "work" }));
told.message = (await sqs.send(new ReceiveMessageCommand({ QueueUrl }))).Messages[0].Body;

console.log(JSON.stringify(told));
