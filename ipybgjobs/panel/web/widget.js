// The entry point of the notebook widget.

import { mount } from "./mount.js";

function transport(model) {
  return {
    other: "kernel",
    send: (message) => model.send(message),
    listen(take) {
      model.on("msg:custom", take);
      return () => model.off("msg:custom", take);
    },
  };
}

export default {
  render({ model, el }) {
    const root = document.createElement("div");
    const id = model.get("fallback");
    const hide = document.createElement("style"); // the static table is only for places where the panel is not alive
    if (id) hide.textContent = `[data-bgjobs="${CSS.escape(id)}"] { display: none; }`;
    el.append(hide, root);
    const board = mount(root, transport(model), model.get("first"));
    return () => board.close();
  },
};
