// The official client with its default options, of the version that a package has. What comes goes to the standard output as lines of JSON, in order;
// lines of the standard input are events to send: {"event", "data", "number"}, or {"close": true}.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [url, token, library, path] = process.argv.slice(2);
const required = createRequire(import.meta.url)(library);
const io = required.io ?? required; // version 2 exports the function itself
const say = (...line) => process.stdout.write(JSON.stringify(line) + "\n");

const socket = io(url, { auth: { token }, path });
socket.on("connect", () => say("life", "connect", socket.io.engine.transport.name));
socket.on("disconnect", (reason) => say("life", "disconnect", reason));
socket.on("connect_error", (error) => say("life", "connect_error", { message: error.message, data: error.data ?? null, status: error.description?.status ?? error.description ?? null }));
socket.onAny?.((event, body) => say("push", event, body));

for await (const line of createInterface({ input: process.stdin })) {
  const { event, data, number, close } = JSON.parse(line);
  if (close) socket.disconnect();
  else socket.emit(event, data, (answer) => say("answer", number, answer));
}
socket.close();
