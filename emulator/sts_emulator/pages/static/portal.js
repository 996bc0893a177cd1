// Links to the portal carry their target behind a `#`, which no server sees: hand it over, or go where the page leads.
const place = /^#\/(console|device)\?(.*)$/.exec(location.hash);
const onward = document.getElementById("onward");
if (place) location.replace(new URL(`../../start/${place[1]}?${place[2]}`, document.currentScript.src));
else if (onward) location.replace(onward.href);
