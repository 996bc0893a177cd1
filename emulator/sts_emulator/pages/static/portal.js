// Links to the portal carry their target behind a `#`, which no server sees: hand it over.
const place = /^#\/(console|device)\?(.*)$/.exec(location.hash);
if (place) location.replace(new URL(`../../start/${place[1]}?${place[2]}`, document.currentScript.src));
