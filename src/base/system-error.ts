/** What the operating system's error codes mean, for people. */

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "no permission",
  EPERM: "not permitted",
  EISDIR: "it is a folder",
  EEXIST: "a file of that name is in the way",
  ENOTDIR: "a part of its path is not a folder",
  ELOOP: "too many symbolic links",
  ENAMETOOLONG: "the name is too long",
  EROFS: "the file system is read-only",
  EMFILE: "too many open files",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection broke",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no way to that network",
  ETIMEDOUT: "no answer in time",
  EPROTO: "what answers there is no node",
  ERR_SSL_WRONG_VERSION_NUMBER: "what answers there is no node",
  ENOTFOUND: "the name is not known",
  EAI_AGAIN: "the name cannot be looked up now",
  EADDRNOTAVAIL: "this machine has no such address",
};

/** In words where the code is a known one; else the error's own message. */
export function systemWords(thrown: unknown): string {
  const { code, message } = Object(thrown) as {
    readonly code?: unknown;
    readonly message?: unknown;
  };
  const words = typeof code === "string" && Object.hasOwn(WHY, code) ? WHY[code] : undefined;
  return words ?? (typeof message === "string" ? message.trim() : String(thrown));
}
