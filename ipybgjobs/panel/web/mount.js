// Create a panel, or the card of a job or of a group.

import { Card } from "./card.js";
import { GroupCard } from "./group.js";
import { Panel } from "./panel.js";

// Draw a panel, or the card of a single job or group, into an element.
export function mount(root, transport, first) {
  if (first.group !== undefined) return new GroupCard(root, transport, first);
  return first.only === undefined ? new Panel(root, transport, first) : new Card(root, transport, first);
}
