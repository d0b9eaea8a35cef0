/** Ctrl-K: pages, lanes, flows, and any id that is pasted. */

import { Spotlight, type SpotlightActionData } from "@mantine/spotlight";
import { useState } from "react";
import { useLocation } from "wouter";
import { useFlows, useRecipients } from "../api/queries";
import { links, place } from "./links";
import { PAGES } from "./pages";

export function Palette() {
  const [, go] = useLocation();
  const [typed, setTyped] = useState("");
  const lanes = useRecipients().data ?? [];
  const flows = useFlows().data ?? [];
  const to = (path: string) => () => go(path);
  const known = place(typed);
  const actions: SpotlightActionData[] = [
    ...(known ? [{ id: typed, label: `Open ${typed.trim()}`, onClick: to(known) }] : []),
    ...PAGES.filter((page) => page.name).map((page) => ({
      id: page.path,
      label: page.name,
      description: "page",
      onClick: to(page.path),
    })),
    {
      id: "review",
      label: "Deliveries in review",
      description: "filter",
      onClick: to(links.deliveries({ status: "dead" })),
    },
    ...lanes.map((lane) => ({
      id: `lane ${lane.recipient}`,
      label: lane.recipient,
      description: "lane",
      onClick: to(links.lane(lane.recipient)),
    })),
    ...flows.map((flow) => ({
      id: `flow ${flow.name}`,
      label: flow.name,
      description: "flow",
      onClick: to(links.flow(flow.name)),
    })),
  ];
  return (
    <Spotlight
      actions={actions}
      query={typed}
      onQueryChange={setTyped}
      shortcut="mod + K"
      limit={12}
      highlightQuery
      lockScroll={false}
      transitionProps={{ duration: 0 }}
      nothingFound="Nothing of that name. Paste a whole delivery or message id, or type a page or a lane."
      searchProps={{
        placeholder: "Page, lane, flow, delivery or message id",
        "aria-label": "Go to",
      }}
    />
  );
}
