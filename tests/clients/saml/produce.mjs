// Reads what to say as JSON from standard input, writes a SAMLResponse in base64: an identity provider by npm's samlp.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const samlp = createRequire(import.meta.url)("samlp");
const wish = JSON.parse(readFileSync(0, "utf8"));

const options = {
  key: wish.key,
  cert: wish.certificate,
  issuer: wish.issuer,
  audience: wish.audience,
  recipient: wish.recipient,
  destination: wish.recipient,
  lifetimeInSeconds: 300,
  signatureAlgorithm: "rsa-sha256",
  digestAlgorithm: "sha256",
  signResponse: wish.signResponse ?? false,
  signatureNamespacePrefix: wish.prefix ?? "",
  authnContextClassRef: "urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
  profileMapper: () => ({
    getClaims: () => wish.attributes,
    getNameIdentifier: () => ({
      nameIdentifier: wish.subject,
      nameIdentifierFormat: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    }),
  }),
};
if (wish.encryptFor) {
  options.encryptionCert = wish.encryptFor.certificate;
  options.encryptionPublicKey = wish.encryptFor.publicKey;
  options.encryptionAlgorithm = wish.encryptFor.algorithm;
}

samlp.getSamlResponse(options, {}, (error, response) => {
  if (error) throw error;
  process.stdout.write(Buffer.from(response).toString("base64"));
});
