/** What `session` takes. */
export interface SessionOptions {
  url: string;
  /** Without user and password the session is refreshed by the page's cookie. */
  user?: string;
  password?: string;
  /** Signs up where sign-in is refused. */
  signUp?: boolean;
  device?: string;
}

/** Returns a token function: it signs in, reuses and refreshes tokens, and waits as 429 and 503 say. */
export declare const session: (options: SessionOptions) => (refused?: string) => Promise<string>;
