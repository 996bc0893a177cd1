// What is live: new attempts go to the top of the timeline, as many as fit on its page.
const PAGE = 100;
const list = document.querySelector("[data-live]");
if (list) {
  const news = document.getElementById("news");
  let added = 0;
  const source = new EventSource(list.dataset.live);
  source.addEventListener("open", () => { news.textContent = "Live"; });
  source.addEventListener("error", () => { news.textContent = "Waiting for the server"; });
  source.addEventListener("attempts", (event) => {
    document.getElementById("empty")?.remove();
    const rows = document.createElement("template");
    rows.innerHTML = event.data;
    added += rows.content.children.length;
    for (const row of rows.content.children) row.classList.add("fresh");
    list.prepend(rows.content);
    while (list.children.length > PAGE) list.lastElementChild.remove();
    news.textContent = `Live: ${added} new`;
  });
  source.addEventListener("passed", (event) => {
    news.textContent = `Live: ${event.data} more than are shown; reload to see them`;
  });
}
// A trust policy is checked while it is typed.
const editor = document.querySelector("form[data-check]");
if (editor) {
  let waiting;
  const check = async () => {
    const fields = new URLSearchParams(new FormData(editor));
    fields.set("part", "1");
    const answer = await fetch(editor.dataset.check, { method: "POST", body: fields });
    if (!answer.ok) return;
    const part = document.createElement("template");
    part.innerHTML = await answer.text();
    document.getElementById("checked").replaceWith(part.content.querySelector("#checked"));
  };
  editor.elements.trust.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(check, 300); });
}
