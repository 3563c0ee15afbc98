// What all rivals on Node share: tokens, the events of a socket, and the rooms that a socket joins.
//
// A rival passes its commands by event name. Each takes the socket and the fields, and returns the fields of the answer or
// a promise of them. `rooms` gives the ids of all rooms of a user, and the newest 50 rooms for the push `ready`.
import { createServer } from "node:http";
import jwt from "jsonwebtoken";
import { Server } from "socket.io";

export const EPOCH = "1";

export class Refused extends Error {}

export const privateRoom = (one, other) => (one < other ? `pvt-${one}-${other}` : `pvt-${other}-${one}`);

/** Serve the commands on a free port, and say on which. Returns the Socket.IO server. */
export function serve({ rooms, commands, application = undefined }) {
  const http = createServer(application);
  const io = new Server(http, { transports: ["websocket"], serveClient: false });

  io.use((socket, next) => {
    try {
      socket.data.user = jwt.verify(socket.handshake.auth.token, process.env.SECRET, { algorithms: ["HS256"] }).sub;
      next();
    } catch {
      next(new Error("unauthenticated"));
    }
  });

  io.on("connection", async (socket) => {
    for (const [name, command] of Object.entries(commands)) {
      socket.on(name, async (fields, answer) => {
        try {
          answer({ ok: true, ...(await command(socket, fields)) });
        } catch (error) {
          if (!(error instanceof Refused)) console.error(error);
          answer({ ok: false, error: { code: error instanceof Refused ? error.message : "internal" } });
        }
      });
    }
    const { user } = socket.data;
    try {
      const { ids, newest } = await rooms(user);
      socket.join([`user:${user}`, ...ids]);
      socket.emit("ready", { user, epoch: EPOCH, rooms: newest });
    } catch (error) {
      console.error(error);
      socket.disconnect(true);
    }
  });

  http.listen(Number(process.env.PORT ?? 0), "127.0.0.1", 511, () => {
    console.log(`listens on http://127.0.0.1:${http.address().port}`);
  });
  return io;
}
