// Questions to the server that this page came from, and to no other.

/** What the server says is wrong, in words. */
export class Problem extends Error {
  constructor(told, status) {
    super(told.message || "The server did not answer.");
    this.told = told;
    this.status = status;
  }
}

async function answered(response) {
  if (response.status === 204) return null;
  let body;
  try {
    body = await response.json();
  } catch {
    throw new Problem({ message: `The server answered ${response.status} without a word.` }, response.status);
  }
  if (!response.ok) throw new Problem(body, response.status);
  return body;
}

async function sent(path, options) {
  let response;
  try {
    response = await fetch(`/api/${path}`, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ message: "The server cannot be reached.", remedy: "is `kleiber app` still running?" }, 0);
  }
  return answered(response);
}

export const get = (path) => sent(path, {});
export const remove = (path) => sent(path, { method: "DELETE" });
export const ask = (path, body, signal) =>
  sent(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });
export const upload = (file) =>
  sent(`uploads?name=${encodeURIComponent(file.name)}`, {
    method: "POST", headers: { "content-type": "application/octet-stream" }, body: file,
  });
