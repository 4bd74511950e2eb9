// Registers, logs in and makes a note with the client that @hey-api/openapi-ts makes of the API's description.
import { execFileSync } from "node:child_process";
import { client } from "./api/client.gen";
import { createNote, logIn, register, verify } from "./api";

const email = "typescript@example.com";
const password = "seven quiet otters 42";
const code = () => execFileSync("python3", [process.env.INBOX_PY!, email], { encoding: "utf8" }).trim();

client.setConfig({ baseUrl: process.env.SMART_NOTES_API! });

const { challenge } = (await register({
  body: { username: "typescript", email, password, confirm_password: password },
  throwOnError: true,
})).data;
await verify({ body: { email, otp: code(), challenge }, throwOnError: true });

const wrong = await logIn({ body: { login: email, password: "wrong" } });
if (wrong.error === undefined || !("error" in wrong.error) || typeof wrong.error.error !== "string") {
  throw new Error(`a wrong password was answered ${JSON.stringify(wrong.error)}`);
}
const refused: string | string[] = wrong.error.code;

const session = (await logIn({ body: { login: email, password }, throwOnError: true })).data;
client.setConfig({ auth: session.token });
const note = (await createNote({ body: { title: "Milk", tags: ["shop"] }, throwOnError: true })).data;
if (note.title !== "Milk" || note.version !== 1) throw new Error(JSON.stringify(note));
console.log(`typescript: ${note.id}, and a wrong password is ${refused}`);
