// The inbox page. Whatever comes from a mail is put in place as text, never as markup.
"use strict";

const $ = (id) => document.getElementById(id);
let mails = []; // newest first
let keep = 1; // how many of them the catcher keeps
let chosen = null; // the id of the mail that is shown
let view = null; // html, text or raw, once picked

const clock = (mail) => new Date(mail.received).toLocaleTimeString();
const shownAs = (mail) => view === "html" && !mail.html ? "text" : view ?? (mail.html ? "html" : "text");

function span(kind, text) {
  const element = document.createElement("span");
  element.className = kind;
  element.textContent = text;
  return element;
}

function row(mail) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-current", String(mail.id === chosen));
  button.append(span("subject", mail.subject || "(no subject)"), span("time", clock(mail)), span("to", mail.to.join(", ")));
  if (mail.code) button.append(span("digits", mail.code));
  button.addEventListener("click", () => choose(mail.id));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function draw() {
  const wanted = $("filter").value.trim().toLowerCase();
  const visible = mails.filter((mail) => [mail.subject, mail.from, ...mail.to].join("\n").toLowerCase().includes(wanted));
  const focused = [...$("list").children].findIndex((item) => item.contains(document.activeElement));
  $("list").replaceChildren(...visible.map(row));
  if (focused >= 0) $("list").querySelector('[aria-current="true"]')?.focus();
  $("empty").hidden = mails.length > 0;
  $("mails").hidden = mails.length === 0;
  $("nothing").hidden = mails.length === 0 || visible.length > 0;
  $("clear").disabled = mails.length === 0;
  $("count").textContent = mails.length === 1 ? "1 mail" : `${mails.length} mails`;
  document.title = mails.length ? `Inbox (${mails.length})` : "Inbox";
  if (chosen && !mails.some((mail) => mail.id === chosen)) choose(null);
}

async function choose(id) {
  chosen = id;
  draw();
  const mail = mails.find((one) => one.id === id);
  $("mail").hidden = !mail;
  $("none").hidden = Boolean(mail) || mails.length === 0;
  if (!mail) return;
  $("subject").textContent = mail.subject || "(no subject)";
  $("from").textContent = mail.from || "(null sender)";
  $("to").textContent = mail.to.join(", ");
  $("received").textContent = new Date(mail.received).toLocaleString();
  $("code").hidden = !mail.code;
  $("digits").textContent = mail.code ?? "";
  $("copy").textContent = "Copy";
  await show(mail);
}

async function show(mail) {
  const as = shownAs(mail);
  for (const button of document.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === as));
    button.disabled = button.dataset.view === "html" && !mail.html;
  }
  $("html").hidden = as !== "html";
  $("plain").hidden = as === "html";
  const address = `/mails/${encodeURIComponent(mail.id)}/${as}`;
  if (as === "html") {
    if ($("html").getAttribute("src") !== address) $("html").src = address;
    return;
  }
  const answer = await fetch(address);
  const text = answer.ok ? await answer.text() : "This mail is no longer there.";
  if (chosen === mail.id && shownAs(mail) === as) $("plain").textContent = text;
}

async function copy() {
  const digits = $("digits");
  try {
    await navigator.clipboard.writeText(digits.textContent);
    $("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(digits); // then Ctrl+C copies it
    $("copy").textContent = "Selected";
  }
}

const remove = (body) => fetch("/api/v1/messages", { method: "DELETE", body: JSON.stringify(body) });

$("filter").addEventListener("input", draw);
$("copy").addEventListener("click", copy);
$("delete").addEventListener("click", () => remove({ IDs: [chosen] }));
$("clear").addEventListener("click", () => { if (confirm("Delete all mails?")) remove({}); });
for (const button of document.querySelectorAll("[data-view]")) {
  button.addEventListener("click", () => {
    view = button.dataset.view;
    const mail = mails.find((one) => one.id === chosen);
    if (mail) show(mail);
  });
}

function set(next) {
  mails = next.slice(0, keep);
  draw();
  $("none").hidden = chosen !== null || mails.length === 0;
}

const events = new EventSource("/events");
const on = (name, act) => events.addEventListener(name, (event) => act(JSON.parse(event.data)));
on("inbox", (inbox) => { keep = inbox.keep; set(inbox.mails); });
on("mail", (mail) => set([mail, ...mails.filter((other) => other.id !== mail.id)]));
on("deleted", ({ ids }) => set(mails.filter((mail) => !ids.includes(mail.id))));
on("cleared", () => set([]));

function live(is) {
  $("live").textContent = is ? "live" : "reconnecting …";
  $("live").classList.toggle("on", is);
}
events.addEventListener("open", () => live(true));
events.addEventListener("error", () => live(false));
