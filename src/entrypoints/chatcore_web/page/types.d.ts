// Types that all modules of the page share. No browser loads this file.
import type * as client from "chatcore-client";
import type * as signals from "@preact/signals";

declare global {
  type Client = client.Client;
  type Room = client.Room;
  type RoomInfo = client.RoomInfo;
  type ChatMessage = client.Message;
  type Live<T> = client.Live<T>;
  type Signal<T> = signals.Signal<T>;
  /** A room, or the private room with a user. */
  type Place = { room: string } | { with: string };
  type Role = "owner" | "admin" | "member";
  interface Member {
    user: string;
    role: Role;
    state: "member" | "invited" | "banned";
  }
  /** What an entry says: an entry of a log, the last one of a Room, or a message that is not sent yet. */
  type Said = Omit<client.Entry, "seq" | "at"> & { cut?: boolean };
  /** An error of a command, or of a request. */
  interface Refusal {
    code?: string;
    message?: string;
    field?: string;
    retry_after_ms?: number;
  }
  /** An event of a field in a form. */
  interface FieldEvent {
    currentTarget: HTMLInputElement & HTMLTextAreaElement;
  }
}
