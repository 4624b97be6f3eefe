/** What most files of `test/runtime` and `test/vm/guest` begin with: a node that their tests share, and links that each has for itself. */

import { afterAll, afterEach, beforeAll, beforeEach } from "bun:test";
import { PATIENCE } from "../fakes/patience.ts";
import type { Agent } from "./agent.ts";
import { HostLinks } from "./links.ts";
import { TestNode } from "./node.ts";
import type { ContainerdOptions } from "./runtime/containerd.ts";

/** The first start fetches packages. */
const START_LIMIT_MS = 180_000 * PATIENCE;
export const END_LIMIT_MS = 60_000 * PATIENCE;

export interface NodeForTests {
  readonly node: TestNode;
  /** Throws where each test starts agents of its own. */
  readonly agent: Agent;
  /** The next one, for this and all later tests: the one before was killed. */
  nextAgent(): Promise<Agent>;
  /** Of the test that runs. */
  readonly links: HostLinks;
}

export interface NodeForTestsOptions extends Partial<ContainerdOptions> {
  /** Of the one agent that all tests share; absent: each starts its own, and they end with it. */
  readonly agent?: Parameters<TestNode["agent"]>[0];
  /** Default: a node with containerd as the other options say. */
  readonly start?: () => Promise<TestNode>;
}

/** For the tests of the file, or of the `describe`, that calls it. */
export function nodeForTests(options: NodeForTestsOptions = {}): NodeForTests {
  const { agent: agentOptions, suite = "sid", start = () => TestNode.start({ suite, ...rest }), ...rest } = options;
  let node: TestNode | undefined;
  let agent: Agent | undefined;
  let links: HostLinks | undefined;
  beforeAll(async () => {
    node = await start();
    if (agentOptions !== undefined) agent = await node.agent(agentOptions);
  }, START_LIMIT_MS);
  afterAll(() => node?.[Symbol.asyncDispose](), END_LIMIT_MS);
  beforeEach(() => {
    links = new HostLinks();
  });
  afterEach(async () => {
    if (agentOptions === undefined) await node?.stopAgents();
    links?.[Symbol.dispose]();
  }, END_LIMIT_MS);
  return {
    get node() {
      return there("the node", node);
    },
    get agent() {
      return there("the agent that all tests share", agent);
    },
    async nextAgent() {
      agent = await there("the node", node).agent(agentOptions);
      return agent;
    },
    get links() {
      return there("the test's links", links);
    },
  };
}

/** What a hook of the tests has made by now. */
export function there<T>(what: string, found: T | undefined): T {
  if (found === undefined) throw new Error(`${what} is asked for before it is there`);
  return found;
}
