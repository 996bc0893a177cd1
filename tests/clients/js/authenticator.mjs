// A software authenticator at a page's origin: for each line of JSON, {"create": options} or {"get": options}, a line with the credential.
import { createInterface } from "node:readline";
import emulators from "nid-webauthn-emulator"; // CommonJS, whose default is a member

const [origin] = process.argv.slice(2);
const emulator = new emulators.default();
for await (const line of createInterface({ input: process.stdin })) {
  const { create, get } = JSON.parse(line);
  console.log(JSON.stringify(create ? emulator.createJSON(origin, create) : emulator.getJSON(origin, get)));
}
