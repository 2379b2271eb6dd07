// Create a panel or a card.

import { Card } from "./card.js";
import { Panel } from "./panel.js";

// Draw a panel, or the card of a single job, into an element.
export function mount(root, transport, first) {
  return first.only === undefined ? new Panel(root, transport, first) : new Card(root, transport, first);
}
