// Many chat programs in one process: node crowd.mjs URL FIRST COUNT. A line of the standard input is [user, line typed],
// a line of the standard output [user, line shown]. Every second user from FIRST to COUNT runs here; u0 and u1 talk to
// each other, u2 and u3, and so on.
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { chat } from "./chat.mjs";

const [url, first, count] = process.argv.slice(2);
const keyboards = new Map();
for (let number = Number(first); number < Number(count); number += 2) {
  const user = `u${number}`;
  const show = (line) => console.log(JSON.stringify([user, line]));
  keyboards.set(user, new PassThrough({ objectMode: true }));
  const options = { url, password: "correct horse", show };
  chat(user, `u${number ^ 1}`, keyboards.get(user), options).catch((error) => show(`ended: ${error.message}`));
}
for await (const line of createInterface({ input: process.stdin })) {
  const [user, typed] = JSON.parse(line);
  keyboards.get(user).write(typed);
}
