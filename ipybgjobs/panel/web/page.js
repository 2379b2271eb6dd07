// The entry point of the dashboard page: the same panel over a socket.

import { element } from "./elements.js";
import { mount } from "./mount.js";

const RECONNECT = 2000; // milliseconds until the next attempt to connect

// A socket that reconnects; messages sent meanwhile are dropped, since a panel reports again what is visible.
class Socket {
  constructor(address) {
    this.address = address;
    this.other = "server";
    this.listeners = new Set();
    this.connect();
  }

  connect() {
    this.socket = new WebSocket(this.address);
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    this.socket.onclose = () => this.closed();
  }

  closed() {
    if (this.board) this.board.link.wait();
    setTimeout(() => this.connect(), RECONNECT);
  }

  take(message) {
    if (message.kind === "failed") this.failed(message.text);
    else if (message.kind === "first" && !this.board) this.begin(message.first);
    else if (message.kind === "first") this.again();
    else for (const listener of this.listeners) listener(message);
  }

  // The server closes the socket, which triggers a retry.
  failed(text) {
    if (this.board) this.board.take({ kind: "trouble", text });
    else this.root.textContent = text;
  }

  begin(first) {
    this.root.textContent = "";
    this.board = mount(this.root, this, first);
  }

  again() {
    this.board.link.lost("The connection was lost; check the job's state for the result.");
    this.board.link.look({ whole: false });
  }

  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) throw new Error("not connected");
    this.socket.send(JSON.stringify(message));
  }

  listen(take) {
    this.listeners.add(take);
    return () => this.listeners.delete(take);
  }
}

// Once the page is loaded, the login cookie replaces the token, so the address can be shown and saved without it.
const here = new URL(location.href);
if (here.searchParams.has("token")) {
  here.searchParams.delete("token");
  history.replaceState(null, "", here);
}

const root = element("div", { class: "b-page" });
document.querySelector("main").append(root);
const address = new URL("socket", location.href);
address.protocol = address.protocol.replace("http", "ws");
new Socket(address).root = root;
