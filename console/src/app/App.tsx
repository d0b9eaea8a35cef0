/** Everything around the pages: data, theme, routes, and the form that asks for a token. */

import { createTheme, MantineProvider, Modal } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Component, type ReactNode, Suspense } from "react";
import { Route, Switch, useLocation } from "wouter";
import { Refusal } from "../api/client";
import { useConnection } from "../api/connection";
import { Empty, Loading, Trouble } from "../parts/States";
import { LiveProvider } from "./live";
import { PageHead } from "./PageHead";
import { PAGES } from "./pages";
import { Shell } from "./Shell";
import { SignIn } from "./SignIn";

const theme = createTheme({
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  primaryColor: "blue",
  defaultRadius: "sm",
  cursorType: "pointer",
  respectReducedMotion: true,
  // A dialog that fades takes keys that are meant for the page behind it.
  components: { Modal: Modal.extend({ defaultProps: { transitionProps: { duration: 0 } } }) },
});

export function makeQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // The live refresh asks again soon enough; what is refused stays refused.
        retry: (failures, error) => error instanceof Refusal && error.status === 0 && failures < 1,
        staleTime: 1_000,
      },
    },
  });
}

const queries = makeQueries();

export function App() {
  return (
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      // The library's own style elements would need an exception in the content security policy.
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queries}>
        <LiveProvider>
          <Notifications position="bottom-right" autoClose={4000} />
          <Locked>
            <Shell>
              <Caught at={useLocation()[0]}>
                <Suspense fallback={<Loading />}>
                  <Pages />
                </Suspense>
              </Caught>
            </Shell>
          </Locked>
        </LiveProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}

function Locked({ children }: { children: ReactNode }) {
  return useConnection().state === "locked" ? <SignIn /> : children;
}

export function Pages() {
  return (
    <Switch>
      {PAGES.map((entry) => (
        <Route key={entry.path} path={entry.path} component={entry.page} />
      ))}
      <Route>
        <PageHead title="No such page" />
        <Empty title="There is nothing at this address">
          The navigation has every page; Ctrl K finds lanes and ids.
        </Empty>
      </Route>
    </Switch>
  );
}

/** A page that broke says so and leaves the others alone. */
export class Caught extends Component<
  { at: string; children: ReactNode },
  { error: Error | null }
> {
  override state: { error: Error | null } = { error: null };

  override componentDidUpdate(before: { at: string }): void {
    if (before.at !== this.props.at && this.state.error) this.setState({ error: null });
  }

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    // A page whose file went with an upgrade is not asked for again: only a new start helps.
    return <Trouble error={error} retry={() => location.reload()} />;
  }
}
