/**
 * What the kubelet asks at the registration socket. Source: kubernetes/kubelet `pkg/apis/pluginregistration/v1`.
 * The kubelet asks anew whenever it starts, so both calls may come any number of times; it says nothing when it goes.
 */

import { serviceDefinition, serviceImplementation } from "../grpc/service.ts";
import type { ServedService } from "../grpc/unix-server.ts";
import type { Logger } from "../lib/log.ts";
import { Registration } from "../proto/gen/pluginregistration/v1/api_pb.ts";
import { SUPPORTED_VERSIONS } from "./services.ts";

export interface RegistrationOptions {
  readonly driver: string;
  /** Absolute path of the DRA socket, which must be the same on the host. */
  readonly endpoint: string;
  readonly log: Logger;
  readonly onChange?: (state: RegistrationState) => void;
}

export type RegistrationState =
  | { readonly kind: "waiting" }
  | { readonly kind: "registered" }
  | { readonly kind: "refused"; readonly error: string };

export class DriverRegistration {
  #state: RegistrationState = { kind: "waiting" };
  readonly #options: RegistrationOptions;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  get state(): RegistrationState {
    return this.#state;
  }

  service(): ServedService {
    const { driver, endpoint } = this.#options;
    return {
      definition: serviceDefinition(Registration),
      implementation: serviceImplementation(Registration, {
        getInfo: async () => ({
          type: "DRAPlugin",
          name: driver,
          endpoint,
          supportedVersions: [...SUPPORTED_VERSIONS],
        }),
        notifyRegistrationStatus: async ({ pluginRegistered, error }) => {
          this.#notified(pluginRegistered, error);
          return {};
        },
      }),
    };
  }

  #notified(registered: boolean, error: string): void {
    const { log, driver, endpoint, onChange } = this.#options;
    this.#state = registered ? { kind: "registered" } : { kind: "refused", error };
    if (registered) log.info("registered with the kubelet", { driver, endpoint });
    else log.error("the kubelet refused the registration and will try again", { driver, endpoint, reason: error });
    onChange?.(this.#state);
  }
}
