// A form with `data-passkey` is sent once the browser's authenticator has answered what stands in it (WebAuthn).
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const described = (list) => list.map((known) => ({ ...known, id: bytes(known.id) }));

async function asked(kind, options) {
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (kind === "get") {
    publicKey.allowCredentials = described(options.allowCredentials);
    return navigator.credentials.get({ publicKey });
  }
  publicKey.user = { ...options.user, id: bytes(options.user.id) };
  publicKey.excludeCredentials = described(options.excludeCredentials);
  return navigator.credentials.create({ publicKey });
}

function written(credential) {
  const answer = credential.response;
  const response = { clientDataJSON: text(answer.clientDataJSON) };
  if (answer.attestationObject) {
    response.attestationObject = text(answer.attestationObject);
    response.transports = answer.getTransports ? answer.getTransports() : [];
  } else {
    response.authenticatorData = text(answer.authenticatorData);
    response.signature = text(answer.signature);
    if (answer.userHandle) response.userHandle = text(answer.userHandle);
  }
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    const told = form.querySelector("[data-told]");
    told.textContent = "";
    try {
      if (!window.PublicKeyCredential) throw new Error("This browser has no passkeys here: that takes https, or localhost.");
      form.elements.credential.value = written(await asked(form.dataset.passkey, JSON.parse(form.dataset.options)));
      HTMLFormElement.prototype.submit.call(form); // a button may have that name
    } catch (error) {
      told.textContent = error.name === "InvalidStateError" ? "This device has a passkey of yours already." : `Nothing came of it: ${error.message}`;
    }
  });
}
