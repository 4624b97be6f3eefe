import { ClaimError } from "../lib/errors.ts";

/** The webhook answered, with a status that says no. */
export class WebhookRefusal extends ClaimError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  /** 4xx: the same question will have the same answer. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500;
  }
}
