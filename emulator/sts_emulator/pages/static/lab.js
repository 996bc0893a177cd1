// A prediction is scored as soon as its attempt has been made: what is marked as a part is fetched again.
const steps = document.querySelector("[data-lab]");
if (steps) {
  let waiting;
  const renew = async () => {
    const answer = await fetch(location.pathname);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-part]")) {
      const now = fresh.getElementById(part.id);
      if (now && now.innerHTML !== part.innerHTML) part.replaceChildren(...now.childNodes);
    }
  };
  const source = new EventSource(steps.dataset.feed);
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(renew, 300); };
  source.addEventListener("attempts", soon);
  source.addEventListener("passed", soon);
}
