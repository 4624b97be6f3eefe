/** A webhook on loopback that leases an address for each device of a claim, and that a test can make fail. */

interface ProfileQuestion {
  readonly device: { readonly name: string };
  readonly claim_uid: string;
  readonly config: { readonly profile: string };
}

export class IpamWebhook implements Disposable {
  capabilities: object = { cloudProvider: true, profileProvider: true };
  /** By claim and device: the address. */
  readonly leases = new Map<string, string>();
  /** Path of each question. */
  readonly asked: string[] = [];
  /** Bodies of the questions about profiles. */
  readonly profileQuestions: object[] = [];
  /** By device's name; a device without has none. */
  readonly attributes = new Map<string, object>();
  deviceConfig: object = {};
  /** Answered to the next questions of this path, as many as there are statuses. */
  readonly failures: Readonly<Record<string, number[]>> = {
    "/health": [],
    "/GetDeviceAttributes": [],
    "/GetDeviceConfig": [],
    "/GetProfileConfig": [],
    "/ReleaseProfileConfig": [],
  };
  #next = 10;
  readonly #server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => this.#answer(request) });

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  count(path: string): number {
    return this.asked.filter((one) => one === path).length;
  }

  async #answer(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname;
    this.asked.push(path);
    const status = this.failures[path]?.shift();
    if (status !== undefined) return new Response("as the test wants", { status });
    if (path === "/health") return Response.json(this.capabilities);
    const question = (await request.json()) as ProfileQuestion & { readonly name: string };
    if (path === "/GetDeviceAttributes") return Response.json(this.attributes.get(question.name) ?? {});
    if (path === "/GetDeviceConfig") return Response.json(this.deviceConfig);
    this.profileQuestions.push(question);
    const key = `${question.claim_uid} ${question.device.name} ${question.config.profile}`;
    if (path === "/ReleaseProfileConfig") {
      this.leases.delete(key);
      return new Response();
    }
    const address = this.leases.get(key) ?? `10.66.0.${this.#next++}/24`;
    this.leases.set(key, address);
    return Response.json({ interface: { addresses: [address] } });
  }

  [Symbol.dispose](): void {
    this.#server.stop(true);
  }
}
