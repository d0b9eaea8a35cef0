/** The pages: where they are, how they are called, and in which order people look for them. */

import { type ComponentType, type LazyExoticComponent, lazy } from "react";

export interface PageEntry {
  path: string;
  /** Name in navigation and palette; a page without one is reached from others. */
  name?: string;
  /** After `g`, for the keyboard. */
  key?: string;
  group?: "Now" | "Set-up" | "Record";
  page: LazyExoticComponent<ComponentType>;
}

export const PAGES: PageEntry[] = [
  {
    path: "/",
    name: "Overview",
    key: "o",
    group: "Now",
    page: lazy(() => import("../pages/Overview")),
  },
  {
    path: "/lanes",
    name: "Lanes",
    key: "l",
    group: "Now",
    page: lazy(() => import("../pages/Lanes")),
  },
  { path: "/lanes/:name", page: lazy(() => import("../pages/Lane")) },
  {
    path: "/deliveries",
    name: "Deliveries",
    key: "d",
    group: "Now",
    page: lazy(() => import("../pages/Deliveries")),
  },
  { path: "/deliveries/:id", page: lazy(() => import("../pages/Delivery")) },
  {
    path: "/groups",
    name: "Groups",
    key: "g",
    group: "Now",
    page: lazy(() => import("../pages/Groups")),
  },
  { path: "/groups/:id", page: lazy(() => import("../pages/Group")) },
  {
    path: "/review",
    name: "Review",
    key: "r",
    group: "Now",
    page: lazy(() => import("../pages/Review")),
  },
  { path: "/review/:id", page: lazy(() => import("../pages/ReviewItem")) },
  {
    path: "/operations",
    name: "Operations",
    key: "b",
    group: "Now",
    page: lazy(() => import("../pages/Operations")),
  },
  { path: "/operations/:id", page: lazy(() => import("../pages/Operation")) },
  { path: "/messages/:id", page: lazy(() => import("../pages/Message")) },
  {
    path: "/flows",
    name: "Flows",
    key: "f",
    group: "Set-up",
    page: lazy(() => import("../pages/Flows")),
  },
  { path: "/flows/:name", page: lazy(() => import("../pages/Flow")) },
  {
    path: "/workers",
    name: "Workers",
    key: "w",
    group: "Set-up",
    page: lazy(() => import("../pages/Workers")),
  },
  {
    path: "/events",
    name: "Events",
    key: "e",
    group: "Record",
    page: lazy(() => import("../pages/Events")),
  },
  {
    path: "/audit",
    name: "Audit",
    key: "a",
    group: "Record",
    page: lazy(() => import("../pages/Audit")),
  },
  {
    path: "/settings",
    name: "Settings",
    key: "s",
    group: "Set-up",
    page: lazy(() => import("../pages/Settings")),
  },
];

export const GROUPS = ["Now", "Record", "Set-up"] as const;
